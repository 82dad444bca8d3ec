// Package xcmd recognizes, for the analyzers, what code does with commands of
// example.com/xexec.
package xcmd

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// Path is the import path of xexec.
const Path = "example.com/xexec"

// Root returns the root of the pass's syntax. The analyzer must require inspect.
func Root(pass *analysis.Pass) inspector.Cursor {
	return pass.ResultOf[inspect.Analyzer].(*inspector.Inspector).Root()
}

// Imports reports whether the package imports path.
func Imports(pass *analysis.Pass, path string) bool {
	for _, p := range pass.Pkg.Imports() {
		if p.Path() == path {
			return true
		}
	}
	return false
}

// IsCmd reports whether t is xexec's Cmd or a pointer to it.
func IsCmd(t types.Type) bool {
	if t == nil {
		return false
	}
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Name() == "Cmd" && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == Path
}

// A Call is a call of a method of a command, or of its process.
type Call struct {
	*ast.CallExpr
	Cmd  ast.Expr // what stands before the method, or before ".Process"
	Path string   // the embedded fields between Cmd and the command: ".Cmd" for an embedded one
	Name string   // of the method
	proc *ast.SelectorExpr
}

// Process reports whether it is the process's method.
func (c *Call) Process() bool { return c.proc != nil }

// WithoutProcess returns the edit that makes it the command's own method.
func (c *Call) WithoutProcess() analysis.TextEdit {
	return analysis.TextEdit{Pos: c.Cmd.End(), End: c.proc.End(), NewText: []byte(c.Path)}
}

// Method returns n as a call of a method of a command: Wait for cmd.Wait(), Kill
// for cmd.Kill() and for cmd.Process.Kill().
func Method(info *types.Info, n ast.Node) (*Call, bool) {
	if e, ok := n.(ast.Expr); ok {
		n = ast.Unparen(e)
	}
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return nil, false
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return nil, false
	}
	s := info.Selections[sel]
	if s == nil || s.Kind() != types.MethodVal || s.Obj().Pkg() == nil {
		return nil, false
	}
	switch s.Obj().Pkg().Path() {
	case Path:
		holder, path := walk(s)
		if !IsCmd(holder) {
			return nil, false
		}
		return &Call{call, sel.X, path, sel.Sel.Name, nil}, true
	case "os":
		proc, ok := sel.X.(*ast.SelectorExpr)
		if !ok {
			return nil, false
		}
		cmd, path, ok := Process(info, proc)
		if !ok {
			return nil, false
		}
		return &Call{call, cmd, path, sel.Sel.Name, proc}, true
	}
	return nil, false
}

// Process returns cmd for the expression cmd.Process, with the embedded fields
// between the two.
func Process(info *types.Info, e *ast.SelectorExpr) (ast.Expr, string, bool) {
	s := info.Selections[e]
	if e.Sel.Name != "Process" || s == nil || s.Kind() != types.FieldVal {
		return nil, "", false
	}
	holder, path := walk(s)
	return e.X, path, IsCmd(holder)
}

// walk follows a selection through embedded fields to the type that has the
// selected field or method, and returns the path to it.
func walk(s *types.Selection) (types.Type, string) {
	t, path := s.Recv(), ""
	index := s.Index()
	for _, i := range index[:len(index)-1] {
		if p, ok := t.Underlying().(*types.Pointer); ok {
			t = p.Elem()
		}
		st, ok := t.Underlying().(*types.Struct)
		if !ok {
			return t, path
		}
		t = st.Field(i).Type()
		path += "." + st.Field(i).Name()
	}
	return t, path
}

// Same reports whether two expressions are the same variable, or the same chain
// of fields of one.
func Same(info *types.Info, a, b ast.Expr) bool {
	a, b = ast.Unparen(a), ast.Unparen(b)
	switch a := a.(type) {
	case *ast.Ident:
		b, ok := b.(*ast.Ident)
		return ok && Object(info, a) != nil && Object(info, a) == Object(info, b)
	case *ast.SelectorExpr:
		b, ok := b.(*ast.SelectorExpr)
		return ok && info.Uses[a.Sel] == info.Uses[b.Sel] && Same(info, a.X, b.X)
	}
	return false
}

// Object returns the variable, field or function that e names, or nil.
func Object(info *types.Info, e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return info.ObjectOf(e)
	case *ast.SelectorExpr:
		return info.Uses[e.Sel]
	case *ast.IndexExpr:
		return Object(info, e.X)
	}
	return nil
}

// Calls reports whether the package calls one of the methods of a command.
func Calls(pass *analysis.Pass, names ...string) bool {
	for _, name := range names {
		for use, obj := range pass.TypesInfo.Uses {
			if use.Name == name && obj.Pkg() != nil && obj.Pkg().Path() == Path {
				return true
			}
		}
	}
	return false
}

// IsFunc reports whether e names the function or variable pkg.name.
func IsFunc(info *types.Info, e ast.Expr, pkg, name string) bool {
	obj := Object(info, e)
	return obj != nil && obj.Pkg() != nil && obj.Pkg().Path() == pkg && obj.Name() == name && obj.Parent() == obj.Pkg().Scope()
}

// IsSys reports whether e names name in syscall or golang.org/x/sys/unix, or, for
// signals, in os.
func IsSys(info *types.Info, e ast.Expr, names ...string) bool {
	for _, name := range names {
		for _, pkg := range []string{"syscall", "os", "golang.org/x/sys/unix"} {
			if IsFunc(info, e, pkg, name) {
				return true
			}
		}
	}
	return false
}

// Func returns the innermost function around the cursor.
func Func(cur inspector.Cursor) (ast.Node, *ast.BlockStmt) {
	for c := range cur.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		switch n := c.Node().(type) {
		case *ast.FuncDecl:
			return n, n.Body
		case *ast.FuncLit:
			return n, n.Body
		}
	}
	return nil, nil
}
