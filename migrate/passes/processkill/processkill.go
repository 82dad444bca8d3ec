// Package processkill defines an analyzer that finds commands killed and signalled
// through their Process. Its documentation is doc.md.
package processkill

import (
	_ "embed"
	"go/ast"
	"go/token"

	"example.com/xexec/migrate/internal/xcmd"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

//go:embed doc.md
var doc string

// Analyzer finds cmd.Process.Kill() and cmd.Process.Signal(s).
var Analyzer = &analysis.Analyzer{
	Name:     "processkill",
	Doc:      doc,
	URL:      "https://pkg.go.dev/example.com/xexec/migrate/passes/processkill",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	trees := xcmd.Calls(pass, "SetTree")
	for cur := range xcmd.Root(pass).Preorder((*ast.CallExpr)(nil)) {
		call, ok := xcmd.Method(pass.TypesInfo, cur.Node())
		if !ok || !call.Process() || call.Name != "Kill" && call.Name != "Signal" {
			continue
		}
		d := analysis.Diagnostic{Pos: call.Pos(), End: call.End()}
		d.Message = "signal through the process: the command's own " + call.Name + " can be called at any time, from anywhere"
		switch {
		case trees:
			d.Message += "; not rewritten, as SetTree would make it reach the tree"
		case !errorUnused(pass, cur):
			d.Message += "; not rewritten, as its error is used, which is os.ErrProcessDone for a command that has exited and is not waited for yet, where os/exec has nil"
		default:
			d.SuggestedFixes = []analysis.SuggestedFix{{
				Message:   "Call " + call.Name + " on the command",
				TextEdits: []analysis.TextEdit{call.WithoutProcess()},
			}}
		}
		pass.Report(d)
	}
	return nil, nil
}

// errorUnused reports whether nobody looks at the call's error, or only after
// os.ErrProcessDone has been set aside.
func errorUnused(pass *analysis.Pass, cur inspector.Cursor) bool {
	switch p := cur.Parent().Node().(type) {
	case *ast.ExprStmt, *ast.GoStmt, *ast.DeferStmt:
		return true
	case *ast.AssignStmt:
		if len(p.Lhs) != 1 {
			return false
		}
		id, ok := p.Lhs[0].(*ast.Ident)
		if !ok {
			return false
		}
		if id.Name == "_" {
			return true
		}
		cond, ok := cur.Parent().Parent().Node().(*ast.IfStmt)
		return ok && cond.Init == p && cond.Else == nil && setsDoneAside(pass, cond.Cond, id.Name) && p.Tok == token.DEFINE
	}
	return false
}

// setsDoneAside recognizes "err != nil && !errors.Is(err, os.ErrProcessDone)".
func setsDoneAside(pass *analysis.Pass, cond ast.Expr, name string) bool {
	and, ok := cond.(*ast.BinaryExpr)
	if !ok || and.Op != token.LAND {
		return false
	}
	isErr := func(e ast.Expr) bool {
		id, ok := e.(*ast.Ident)
		return ok && id.Name == name
	}
	nonNil, ok := and.X.(*ast.BinaryExpr)
	if !ok || nonNil.Op != token.NEQ || !isErr(nonNil.X) {
		return false
	}
	if id, ok := nonNil.Y.(*ast.Ident); !ok || id.Name != "nil" {
		return false
	}
	not, ok := and.Y.(*ast.UnaryExpr)
	if !ok || not.Op != token.NOT {
		return false
	}
	is, ok := not.X.(*ast.CallExpr)
	return ok && xcmd.IsFunc(pass.TypesInfo, is.Fun, "errors", "Is") && len(is.Args) == 2 &&
		isErr(is.Args[0]) && xcmd.IsFunc(pass.TypesInfo, is.Args[1], "os", "ErrProcessDone")
}
