// Package waitonce defines an analyzer that finds Wait guarded by package sync. Its
// documentation is doc.md.
package waitonce

import (
	_ "embed"
	"go/ast"
	"go/types"

	"example.com/xexec/migrate/internal/xcmd"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
)

//go:embed doc.md
var doc string

// Analyzer finds sync.Once, sync.OnceValue and the like around Wait.
var Analyzer = &analysis.Analyzer{
	Name:     "waitonce",
	Doc:      doc,
	URL:      "https://pkg.go.dev/example.com/xexec/migrate/passes/waitonce",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	for cur := range xcmd.Root(pass).Preorder((*ast.CallExpr)(nil)) {
		call := cur.Node().(*ast.CallExpr)
		if len(call.Args) == 1 && isOnce(pass.TypesInfo, call) && waits(pass.TypesInfo, call.Args[0]) {
			pass.ReportRangef(call, "Wait is guarded by sync: it can be called any number of times, from any goroutine")
		}
	}
	return nil, nil
}

func isOnce(info *types.Info, call *ast.CallExpr) bool {
	fn, ok := xcmd.Object(info, call.Fun).(*types.Func)
	if !ok {
		return false
	}
	switch fn.FullName() {
	case "(*sync.Once).Do", "sync.OnceFunc", "sync.OnceValue", "sync.OnceValues":
		return true
	}
	return false
}

// waits reports whether e is a command's Wait, or a function literal that calls
// it.
func waits(info *types.Info, e ast.Expr) bool {
	found := false
	ast.Inspect(e, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Wait" {
			obj := info.Uses[sel.Sel]
			found = found || obj != nil && obj.Pkg() != nil && obj.Pkg().Path() == xcmd.Path
		}
		return !found
	})
	return found
}
