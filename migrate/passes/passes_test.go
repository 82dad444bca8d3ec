// Package passes_test tests the analyzers on the packages of testdata.
package passes_test

import (
	"testing"

	"example.com/xexec/migrate"
	"example.com/xexec/migrate/passes/killtree"
	"example.com/xexec/migrate/passes/osexec"
	"example.com/xexec/migrate/passes/processkill"
	"example.com/xexec/migrate/passes/settings"
	"example.com/xexec/migrate/passes/signalstring"
	"example.com/xexec/migrate/passes/stopsequence"
	"example.com/xexec/migrate/passes/waitgoroutine"
	"example.com/xexec/migrate/passes/waitonce"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"
)

// What is reported stands in want comments, what is rewritten in golden files.
func TestAnalyzers(t *testing.T) {
	for pkg, a := range map[string]*analysis.Analyzer{
		"osexec":        osexec.Analyzer,
		"processkill":   processkill.Analyzer,
		"tree":          processkill.Analyzer, // a package with SetTree
		"killtree":      killtree.Analyzer,
		"waitgoroutine": waitgoroutine.Analyzer,
		"waitonce":      waitonce.Analyzer,
		"signalstring":  signalstring.Analyzer,
		"stopsequence":  stopsequence.Analyzer,
		"settings":      settings.Analyzer,
	} {
		t.Run(pkg, func(t *testing.T) {
			analysistest.RunWithSuggestedFixes(t, analysistest.TestData(), a, pkg)
		})
	}
}

func TestAnalyzersAreValid(t *testing.T) {
	if err := analysis.Validate(migrate.Analyzers()); err != nil {
		t.Error(err)
	}
}
