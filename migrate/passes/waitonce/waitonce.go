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
	"golang.org/x/tools/go/ast/inspector"
)

//go:embed doc.md
var doc string

// Analyzer finds sync.Once and sync.OnceValue around Wait.
var Analyzer = &analysis.Analyzer{
	Name:     "waitonce",
	Doc:      doc,
	URL:      "https://pkg.go.dev/example.com/xexec/migrate/passes/waitonce",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

const message = "Wait is guarded by sync: it can be called any number of times, from any goroutine"

func run(pass *analysis.Pass) (any, error) {
	for cur := range xcmd.Root(pass).Preorder((*ast.CallExpr)(nil)) {
		call := cur.Node().(*ast.CallExpr)
		if len(call.Args) != 1 {
			continue
		}
		var edits []analysis.TextEdit
		switch {
		case xcmd.IsFunc(pass.TypesInfo, call.Fun, "sync", "OnceValue"):
			if !isWait(pass, call.Args[0]) {
				continue
			}
			edits = onceValue(pass, call)
		case isOnceDo(pass, call):
			wait, lhs := assigned(pass, call.Args[0])
			if wait == nil {
				continue
			}
			edits = onceDo(pass, cur, call, wait, lhs)
		default:
			continue
		}
		d := analysis.Diagnostic{Pos: call.Pos(), End: call.End(), Message: message}
		if len(edits) > 0 {
			edits = append(edits, xcmd.DropImport(pass, xcmd.File(pass, call.Pos()), "sync", edits)...)
			d.SuggestedFixes = []analysis.SuggestedFix{{Message: "Call Wait", TextEdits: edits}}
		}
		pass.Report(d)
	}
	return nil, nil
}

// isWait recognizes cmd.Wait and func() error { return cmd.Wait() }.
func isWait(pass *analysis.Pass, e ast.Expr) bool {
	if lit, ok := e.(*ast.FuncLit); ok {
		if len(lit.Body.List) != 1 {
			return false
		}
		ret, ok := lit.Body.List[0].(*ast.ReturnStmt)
		if !ok || len(ret.Results) != 1 {
			return false
		}
		c, ok := xcmd.Method(pass.TypesInfo, ret.Results[0])
		return ok && c.Name == "Wait" && !c.Process()
	}
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	s := pass.TypesInfo.Selections[sel]
	return s != nil && s.Kind() == types.MethodVal && s.Obj().Name() == "Wait" && s.Obj().Pkg() != nil && s.Obj().Pkg().Path() == xcmd.Path
}

func onceValue(pass *analysis.Pass, call *ast.CallExpr) []analysis.TextEdit {
	arg := call.Args[0]
	if lit, ok := arg.(*ast.FuncLit); ok {
		c, _ := xcmd.Method(pass.TypesInfo, lit.Body.List[0].(*ast.ReturnStmt).Results[0])
		id, ok := c.Cmd.(*ast.Ident)
		if !ok || xcmd.Assigned(pass, pass.TypesInfo.Uses[id]) > 0 {
			return nil // it may be another command by the second call
		}
	}
	if xcmd.Commented(pass, call.Pos(), arg.Pos()) || xcmd.Commented(pass, arg.End(), call.End()) {
		return nil
	}
	return []analysis.TextEdit{{Pos: call.Pos(), End: arg.Pos()}, {Pos: arg.End(), End: call.End()}}
}

func isOnceDo(pass *analysis.Pass, call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	fn, ok := pass.TypesInfo.Uses[sel.Sel].(*types.Func)
	return ok && fn.FullName() == "(*sync.Once).Do"
}

// assigned returns the call of Wait and the variable of
// func() { v = cmd.Wait() }.
func assigned(pass *analysis.Pass, e ast.Expr) (*xcmd.Call, ast.Expr) {
	lit, ok := e.(*ast.FuncLit)
	if !ok || len(lit.Body.List) != 1 {
		return nil, nil
	}
	a, ok := lit.Body.List[0].(*ast.AssignStmt)
	if !ok || len(a.Lhs) != 1 || len(a.Rhs) != 1 {
		return nil, nil
	}
	c, ok := xcmd.Method(pass.TypesInfo, a.Rhs[0])
	if !ok || c.Name != "Wait" || c.Process() {
		return nil, nil
	}
	return c, a.Lhs[0]
}

// onceDo rewrites the statement and the return of the variable after it.
func onceDo(pass *analysis.Pass, cur inspector.Cursor, call *ast.CallExpr, wait *xcmd.Call, lhs ast.Expr) []analysis.TextEdit {
	info := pass.TypesInfo
	stmt := cur.Parent()
	if _, ok := stmt.Node().(*ast.ExprStmt); !ok {
		return nil
	}
	next, ok := stmt.NextSibling()
	if !ok {
		return nil
	}
	ret, ok := next.Node().(*ast.ReturnStmt)
	if !ok || len(ret.Results) != 1 || !xcmd.Same(info, ret.Results[0], lhs) {
		return nil
	}
	once, ok1 := xcmd.Stable(info, call.Fun.(*ast.SelectorExpr).X)
	result, ok2 := xcmd.Stable(info, lhs)
	cmd, ok3 := xcmd.Stable(info, wait.Cmd)
	if !ok1 || !ok2 || !ok3 || !isField(once) || !isField(result) || !isField(cmd) || cmd.Exported() ||
		xcmd.Assigned(pass, cmd) > 0 || len(xcmd.Uses(pass, once)) != 1 || len(xcmd.Uses(pass, result)) != 2 {
		return nil
	}
	e, ok := xcmd.Delete(pass, stmt.Node())
	if !ok || xcmd.Commented(pass, ret.Pos(), ret.End()) {
		return nil
	}
	edits := []analysis.TextEdit{e, {Pos: ret.Pos(), End: ret.End(), NewText: []byte("return " + wait.Text(pass.Fset) + ".Wait()")}}
	for _, f := range []types.Object{once, result} {
		e, ok := removeField(pass, f, call)
		if !ok {
			return nil
		}
		edits = append(edits, e)
	}
	return edits
}

func isField(obj types.Object) bool {
	v, ok := obj.(*types.Var)
	return ok && v.IsField()
}

// removeField removes the declaration of an unexported field that stands on a
// line of its own in the file of the call.
func removeField(pass *analysis.Pass, obj types.Object, call *ast.CallExpr) (analysis.TextEdit, bool) {
	file := xcmd.File(pass, call.Pos())
	if obj.Exported() || xcmd.File(pass, obj.Pos()) != file {
		return analysis.TextEdit{}, false
	}
	for cur := range xcmd.Root(pass).Preorder((*ast.StructType)(nil)) {
		for _, f := range cur.Node().(*ast.StructType).Fields.List {
			if len(f.Names) != 1 || pass.TypesInfo.Defs[f.Names[0]] != obj || f.Tag != nil || unkeyed(pass, cur) {
				continue
			}
			if f.Doc != nil {
				return analysis.TextEdit{}, false
			}
			return xcmd.Delete(pass, f)
		}
	}
	return analysis.TextEdit{}, false
}

// unkeyed reports whether the package has a composite literal without keys of
// the struct type at cur.
func unkeyed(pass *analysis.Pass, cur inspector.Cursor) bool {
	spec, ok := cur.Parent().Node().(*ast.TypeSpec)
	if !ok {
		return true // of no name: who knows
	}
	named := pass.TypesInfo.Defs[spec.Name].Type()
	for c := range xcmd.Root(pass).Preorder((*ast.CompositeLit)(nil)) {
		lit := c.Node().(*ast.CompositeLit)
		if len(lit.Elts) == 0 {
			continue
		}
		if _, ok := lit.Elts[0].(*ast.KeyValueExpr); ok {
			continue
		}
		if t := pass.TypesInfo.TypeOf(lit); t != nil && types.Identical(t, named) {
			return true
		}
	}
	return false
}
