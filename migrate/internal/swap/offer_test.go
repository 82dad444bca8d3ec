package swap

import (
	"go/ast"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/txtar"
)

// A fix that does not compile is refused, and one beside it is made.
func TestOfferRefusesWhatDoesNotCompile(t *testing.T) {
	dir := t.TempDir()
	extract(t, txtar.Parse([]byte(`
-- go.mod --
module example.org/app

go 1.26.0
-- x.go --
package app

import "os/exec"

var good, bad = 1, 2

var _ = exec.Command
`)), dir)
	plan, err := Make(Options{Dir: dir, Patterns: []string{"./..."}})
	if err != nil {
		t.Fatal(err)
	}
	a := &analysis.Analyzer{Name: "fake", Doc: "fake", Run: func(pass *analysis.Pass) (any, error) {
		for _, f := range pass.Files {
			ast.Inspect(f, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && (id.Name == "good" || id.Name == "bad") {
					text := map[string]string{"good": "better", "bad": "1bad"}[id.Name]
					pass.Report(analysis.Diagnostic{Pos: id.Pos(), Message: id.Name, SuggestedFixes: []analysis.SuggestedFix{{
						TextEdits: []analysis.TextEdit{{Pos: id.Pos(), End: id.End(), NewText: []byte(text)}},
					}}})
				}
				return true
			})
		}
		return nil, nil
	}}
	found, err := plan.Offer([]*analysis.Analyzer{a}, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].Message != "bad" || found[0].Fixable || found[0].Pos.Line != 5 || found[0].Pos.Column != 11 {
		t.Errorf("left: %+v", found)
	}
	if len(plan.Files) != 1 || !strings.Contains(string(plan.Files[0].New), "var better, bad = 1, 2\n") {
		t.Errorf("files: %+v", plan.Files)
	}
}
