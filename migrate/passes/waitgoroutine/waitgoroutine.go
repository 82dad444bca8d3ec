// Package waitgoroutine defines an analyzer that finds goroutines that wait for a
// command and pass its result on. Its documentation is doc.md.
package waitgoroutine

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

// Analyzer finds go func() { done <- cmd.Wait() }() and its kin.
var Analyzer = &analysis.Analyzer{
	Name:     "waitgoroutine",
	Doc:      doc,
	URL:      "https://pkg.go.dev/example.com/xexec/migrate/passes/waitgoroutine",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	bodies := make(map[types.Object]*ast.BlockStmt) // of the package's functions
	for cur := range xcmd.Root(pass).Preorder((*ast.FuncDecl)(nil)) {
		fd := cur.Node().(*ast.FuncDecl)
		bodies[pass.TypesInfo.Defs[fd.Name]] = fd.Body
	}
	for cur := range xcmd.Root(pass).Preorder((*ast.GoStmt)(nil)) {
		stmt := cur.Node().(*ast.GoStmt)
		body := bodies[xcmd.Object(pass.TypesInfo, stmt.Call.Fun)]
		if lit, ok := stmt.Call.Fun.(*ast.FuncLit); ok {
			body = lit.Body
		}
		if body != nil && waits(pass.TypesInfo, body) && passesOn(pass.TypesInfo, body) {
			pass.ReportRangef(stmt, "goroutine around Wait: Done can be selected on, WaitContext gives up with a context, and Wait can be called anywhere")
		}
	}
	return nil, nil
}

// waits reports whether a goroutine with this body calls a command's Wait itself.
func waits(info *types.Info, body *ast.BlockStmt) bool {
	return contains(body, func(n ast.Node) bool {
		c, ok := xcmd.Method(info, n)
		return ok && c.Name == "Wait"
	})
}

// passesOn reports whether the body sends to a channel or closes one.
func passesOn(info *types.Info, body *ast.BlockStmt) bool {
	return contains(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SendStmt:
			return true
		case *ast.CallExpr:
			id, ok := ast.Unparen(n.Fun).(*ast.Ident)
			return ok && info.Uses[id] == types.Universe.Lookup("close")
		}
		return false
	})
}

// contains looks for a node in body, other than in goroutines that it starts.
func contains(body *ast.BlockStmt, is func(ast.Node) bool) bool {
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		if _, ok := n.(*ast.GoStmt); ok || found || n == nil {
			return false
		}
		found = is(n)
		return !found
	})
	return found
}
