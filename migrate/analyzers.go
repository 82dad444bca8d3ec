// Package migrate collects the analyzers that help to move code from os/exec to
// example.com/xexec and to use what it offers.
//
// They follow golang.org/x/tools/go/analysis: cmd/xexec-migrate runs them on
// whole modules and as a go vet tool, the package golangci in golangci-lint, and
// any other driver can. Each is documented by the doc.md beside its source, which
// is also its Doc.
package migrate

import (
	"example.com/xexec/migrate/passes/killtree"
	"example.com/xexec/migrate/passes/osexec"
	"example.com/xexec/migrate/passes/processkill"
	"example.com/xexec/migrate/passes/settings"
	"example.com/xexec/migrate/passes/signalstring"
	"example.com/xexec/migrate/passes/stopsequence"
	"example.com/xexec/migrate/passes/waitgoroutine"
	"example.com/xexec/migrate/passes/waitonce"
	"golang.org/x/tools/go/analysis"
)

// Offers returns the analyzers that look at code that uses xexec: for what it makes
// possible, and for settings without effect. processkill suggests fixes where these
// keep the behaviour, the others report.
func Offers() []*analysis.Analyzer {
	return []*analysis.Analyzer{
		killtree.Analyzer,
		processkill.Analyzer,
		settings.Analyzer,
		signalstring.Analyzer,
		stopsequence.Analyzer,
		waitgoroutine.Analyzer,
		waitonce.Analyzer,
	}
}

// Analyzers returns all analyzers: the offers, and the one that reports imports
// of os/exec.
func Analyzers() []*analysis.Analyzer {
	return append(Offers(), osexec.Analyzer)
}
