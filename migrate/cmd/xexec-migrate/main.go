// Command xexec-migrate moves a Go module from os/exec to example.com/xexec.
//
//	xexec-migrate [flags] [packages]
//
// Without a flag it reports, for each of the packages that uses os/exec, whether
// it can move, and if not why; and what could be written better afterwards, as
// the analyzers of example.com/xexec/migrate see it. Nothing is written without
// -fix. The report ends with what to do next; xexec-migrate -h lists the flags and
// the exit codes.
//
// What packages export that other modules can import keeps os/exec's types, so
// that importers compile as before. -exported moves that too.
//
// "xexec-migrate help" lists the analyzers, "xexec-migrate help name" documents
// one. The command is a vet tool as well: go vet -vettool=$(which xexec-migrate).
//
// All of the module's files are considered, under each configuration that their
// build constraints and names ask for. A second -fix changes nothing. The way back,
// -reverse -fix, leaves the files as they were before, save the go line of go.mod.
package main

import (
	"os"
	"strings"

	"example.com/xexec/migrate"
	"golang.org/x/tools/go/analysis/unitchecker"
)

func main() {
	if isVetTool(os.Args[1:]) {
		unitchecker.Main(migrate.Analyzers()...)
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// isVetTool reports whether the arguments are those of go vet's protocol.
func isVetTool(args []string) bool {
	if len(args) == 0 {
		return false
	}
	last := args[len(args)-1]
	return args[0] == "-V=full" || args[0] == "-flags" || strings.HasSuffix(last, ".cfg")
}
