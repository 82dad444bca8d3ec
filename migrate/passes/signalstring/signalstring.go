// Package signalstring defines an analyzer that finds errors compared with the text
// "signal: killed". Its documentation is doc.md.
package signalstring

import (
	_ "embed"
	"go/ast"
	"go/constant"
	"go/token"
	"strings"

	"example.com/xexec/migrate/internal/xcmd"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
)

//go:embed doc.md
var doc string

// Analyzer finds comparisons of err.Error() with "signal: killed".
var Analyzer = &analysis.Analyzer{
	Name:     "signalstring",
	Doc:      doc,
	URL:      "https://pkg.go.dev/example.com/xexec/migrate/passes/signalstring",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	if !xcmd.Imports(pass, xcmd.Path) {
		return nil, nil
	}
	report := func(n ast.Node) {
		pass.ReportRangef(n, "error compared with a text about a signal: Cause tells whether a context ended the command, ExitError.Sys which signal did")
	}
	for cur := range xcmd.Root(pass).Preorder((*ast.BinaryExpr)(nil), (*ast.CallExpr)(nil)) {
		switch n := cur.Node().(type) {
		case *ast.BinaryExpr:
			if n.Op == token.EQL || n.Op == token.NEQ {
				if isErrorText(pass, n.X) && isSignal(pass, n.Y) || isErrorText(pass, n.Y) && isSignal(pass, n.X) {
					report(n)
				}
			}
		case *ast.CallExpr:
			for _, name := range []string{"Contains", "HasPrefix", "HasSuffix", "EqualFold"} {
				if xcmd.IsFunc(pass.TypesInfo, n.Fun, "strings", name) && len(n.Args) == 2 && isErrorText(pass, n.Args[0]) && isSignal(pass, n.Args[1]) {
					report(n)
				}
			}
		}
	}
	return nil, nil
}

// isErrorText recognizes err.Error().
func isErrorText(pass *analysis.Pass, e ast.Expr) bool {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok || len(call.Args) != 0 {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Error" && pass.TypesInfo.Selections[sel] != nil
}

func isSignal(pass *analysis.Pass, e ast.Expr) bool {
	v := pass.TypesInfo.Types[e].Value
	return v != nil && v.Kind() == constant.String && strings.HasPrefix(constant.StringVal(v), "signal: ")
}
