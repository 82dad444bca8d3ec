// Command xexec-migrate moves a Go module from os/exec to example.com/xexec.
//
//	xexec-migrate [flags] [packages]
//
// Without a flag it reports, for each of the packages that uses os/exec, whether
// it can move, and if not why; and what could be written better afterwards, as
// the analyzers of example.com/xexec/migrate see it. Nothing is written without
// -fix.
//
//	-fix          rewrite the packages that can move, and go.mod
//	-diff         print what -fix would do as a unified diff
//	-json         print the report as JSON
//	-offer names  the analyzers to use, by comma-separated names, "all" or
//	              "none"; -fix applies their suggested fixes. The default is all
//	              for a report, none for -fix and -diff
//	-reverse      move back from xexec to os/exec
//	-replace dir  let go.mod find xexec in dir
//	-require v    the version of xexec to require in go.mod
//	-tags list    build tags that are always set
//
// "xexec-migrate help" lists the analyzers, "xexec-migrate help name" documents
// one. The command is a vet tool as well: go vet -vettool=$(which xexec-migrate).
//
// The exit code is 0 if there is nothing to do or -fix did it, 1 if something
// failed (then nothing is written), 2 if the command line is wrong, and 3 if a
// report or diff has something to do in it: a package that can move, or an offer.
// A package that cannot move is reported and is no reason for a 3.
//
// All of the module's files are considered, under each configuration that their
// build constraints and names ask for. A second -fix changes nothing.
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
