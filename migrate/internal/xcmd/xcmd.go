// Package xcmd recognizes, for the analyzers, what code does with commands of
// example.com/xexec.
package xcmd

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/token"
	"go/types"
	"strings"

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
	sel  *ast.SelectorExpr
	proc *ast.SelectorExpr // cmd.Process, or nil
}

// Process reports whether it is the process's method.
func (c *Call) Process() bool { return c.proc != nil }

// Text returns the source of the expression that is the command.
func (c *Call) Text(fset *token.FileSet) string { return Source(fset, c.Cmd) + c.Path }

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
		return &Call{call, sel.X, path, sel.Sel.Name, sel, nil}, true
	case "os":
		proc, ok := sel.X.(*ast.SelectorExpr)
		if !ok || proc.Sel.Name != "Process" {
			return nil, false
		}
		p := info.Selections[proc]
		if p == nil || p.Kind() != types.FieldVal {
			return nil, false
		}
		holder, path := walk(p)
		if !IsCmd(holder) {
			return nil, false
		}
		return &Call{call, proc.X, path, sel.Sel.Name, sel, proc}, true
	}
	return nil, false
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

// Stable returns the object at the end of e if e is a variable, or a chain of
// fields of one, and so cheap and safe to evaluate more than once.
func Stable(info *types.Info, e ast.Expr) (types.Object, bool) {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		v, ok := info.Uses[e].(*types.Var)
		return v, ok
	case *ast.SelectorExpr:
		if _, ok := Stable(info, e.X); !ok {
			return nil, false
		}
		v, ok := info.Uses[e.Sel].(*types.Var)
		return v, ok && v.IsField()
	}
	return nil, false
}

// Same reports whether two stable expressions are the same.
func Same(info *types.Info, a, b ast.Expr) bool {
	a, b = ast.Unparen(a), ast.Unparen(b)
	switch a := a.(type) {
	case *ast.Ident:
		b, ok := b.(*ast.Ident)
		return ok && info.Uses[a] != nil && info.Uses[a] == info.Uses[b]
	case *ast.SelectorExpr:
		b, ok := b.(*ast.SelectorExpr)
		return ok && info.Uses[a.Sel] == info.Uses[b.Sel] && Same(info, a.X, b.X)
	}
	return false
}

// SameCmd reports whether two calls are of the same command.
func SameCmd(info *types.Info, a, b *Call) bool {
	return a.Path == b.Path && Same(info, a.Cmd, b.Cmd)
}

// Assigned counts the places where the variable or field gets a value after its
// declaration, or its address is taken.
func Assigned(pass *analysis.Pass, obj types.Object) int {
	count := 0
	is := func(e ast.Expr) bool {
		switch e := ast.Unparen(e).(type) {
		case *ast.Ident:
			return pass.TypesInfo.Uses[e] == obj
		case *ast.SelectorExpr:
			return pass.TypesInfo.Uses[e.Sel] == obj
		}
		return false
	}
	for cur := range Root(pass).Preorder((*ast.AssignStmt)(nil), (*ast.UnaryExpr)(nil), (*ast.RangeStmt)(nil)) {
		switch n := cur.Node().(type) {
		case *ast.AssignStmt:
			for _, lhs := range n.Lhs {
				if is(lhs) {
					count++
				}
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND && is(n.X) {
				count++
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if e != nil && is(e) {
					count++
				}
			}
		}
	}
	return count
}

// Uses returns the identifiers that refer to obj.
func Uses(pass *analysis.Pass, obj types.Object) []*ast.Ident {
	var ids []*ast.Ident
	for cur := range Root(pass).Preorder((*ast.Ident)(nil)) {
		if id := cur.Node().(*ast.Ident); pass.TypesInfo.Uses[id] == obj {
			ids = append(ids, id)
		}
	}
	return ids
}

// Calls reports whether the package calls one of the methods of a command.
func Calls(pass *analysis.Pass, names ...string) bool {
	for _, id := range names {
		for use, obj := range pass.TypesInfo.Uses {
			if use.Name == id && obj.Pkg() != nil && obj.Pkg().Path() == Path {
				return true
			}
		}
	}
	return false
}

// IsFunc reports whether e names the function pkg.name.
func IsFunc(info *types.Info, e ast.Expr, pkg, name string) bool {
	var obj types.Object
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		obj = info.Uses[e]
	case *ast.SelectorExpr:
		obj = info.Uses[e.Sel]
	case *ast.IndexExpr:
		return IsFunc(info, e.X, pkg, name)
	}
	return obj != nil && obj.Pkg() != nil && obj.Pkg().Path() == pkg && obj.Name() == name && obj.Parent() == obj.Pkg().Scope()
}

// IsSignal reports whether e is the signal with one of the names in syscall, os
// or golang.org/x/sys/unix.
func IsSignal(info *types.Info, e ast.Expr, names ...string) bool {
	for _, name := range names {
		for _, pkg := range []string{"syscall", "os", "golang.org/x/sys/unix"} {
			if IsFunc(info, e, pkg, name) {
				return true
			}
		}
	}
	return false
}

// Discarded returns the call that the statement makes without looking at its
// result.
func Discarded(s ast.Stmt) (*ast.CallExpr, bool) {
	switch s := s.(type) {
	case *ast.ExprStmt:
		c, ok := s.X.(*ast.CallExpr)
		return c, ok
	case *ast.AssignStmt:
		for _, lhs := range s.Lhs {
			if id, ok := lhs.(*ast.Ident); !ok || id.Name != "_" {
				return nil, false
			}
		}
		if len(s.Rhs) == 1 {
			c, ok := s.Rhs[0].(*ast.CallExpr)
			return c, ok
		}
	}
	return nil, false
}

// Stmts returns the statements of a node that has a list of them.
func Stmts(n ast.Node) []ast.Stmt {
	switch n := n.(type) {
	case *ast.BlockStmt:
		return n.List
	case *ast.CaseClause:
		return n.Body
	case *ast.CommClause:
		return n.Body
	}
	return nil
}

// Source returns the formatted source of n.
func Source(fset *token.FileSet, n ast.Node) string {
	var b bytes.Buffer
	if err := format.Node(&b, fset, n); err != nil {
		return ""
	}
	return b.String()
}

// File returns the file that pos is in.
func File(pass *analysis.Pass, pos token.Pos) *ast.File {
	for _, f := range pass.Files {
		if f.FileStart <= pos && pos < f.FileEnd {
			return f
		}
	}
	return nil
}

// Delete returns the edit that deletes n, with its lines if nothing else stands on
// them. A comment behind it stays; it refuses to delete one inside of it.
func Delete(pass *analysis.Pass, n ast.Node) (analysis.TextEdit, bool) {
	tf := pass.Fset.File(n.Pos())
	start := tf.LineStart(tf.Line(n.Pos()))
	end := token.Pos(tf.Base() + tf.Size())
	if line := tf.Line(n.End()); line < tf.LineCount() {
		end = tf.LineStart(line + 1)
	}
	if Commented(pass, start, n.Pos()) || Commented(pass, n.End(), end) {
		start, end = n.Pos(), n.End()
	}
	return analysis.TextEdit{Pos: start, End: end}, !Commented(pass, n.Pos(), n.End())
}

// Commented reports whether a comment starts in [start, end).
func Commented(pass *analysis.Pass, start, end token.Pos) bool {
	f := File(pass, start)
	if f == nil {
		return true
	}
	for _, g := range f.Comments {
		for _, c := range g.List {
			if start <= c.Pos() && c.Pos() < end {
				return true
			}
		}
	}
	return false
}

// DropImport returns the edits that drop the file's import of path if all its
// uses are inside of the edits.
func DropImport(pass *analysis.Pass, f *ast.File, path string, edits []analysis.TextEdit) []analysis.TextEdit {
	for _, d := range f.Decls {
		gd, ok := d.(*ast.GenDecl)
		if !ok || gd.Tok != token.IMPORT {
			continue
		}
		for _, s := range gd.Specs {
			spec := s.(*ast.ImportSpec)
			if strings.Trim(spec.Path.Value, `"`) != path {
				continue
			}
			obj := pass.TypesInfo.Implicits[spec]
			if spec.Name != nil {
				obj = pass.TypesInfo.Defs[spec.Name]
			}
			for id, o := range pass.TypesInfo.Uses {
				if o == obj && f.FileStart <= id.Pos() && id.Pos() < f.FileEnd && !within(id, edits) {
					return nil
				}
			}
			if obj == nil {
				return nil
			}
			n := ast.Node(spec)
			if len(gd.Specs) == 1 {
				n = gd
			}
			e, _ := Delete(pass, n)
			return []analysis.TextEdit{e}
		}
	}
	return nil
}

func within(n ast.Node, edits []analysis.TextEdit) bool {
	for _, e := range edits {
		if e.Pos <= n.Pos() && n.End() <= e.End {
			return true
		}
	}
	return false
}

// AddImport returns the name by which the file can use the package path of the
// standard library at pos, and the edits that import it if it does not yet. It
// reports false if that name means something else there.
func AddImport(pass *analysis.Pass, f *ast.File, pos token.Pos, path string) (string, []analysis.TextEdit, bool) {
	name := path[strings.LastIndexByte(path, '/')+1:]
	scope := pass.Pkg.Scope().Innermost(pos)
	for _, spec := range f.Imports {
		if strings.Trim(spec.Path.Value, `"`) != path {
			continue
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		_, obj := scope.LookupParent(name, pos)
		_, ok := obj.(*types.PkgName)
		return name, nil, ok
	}
	if _, obj := scope.LookupParent(name, pos); obj != nil {
		return name, nil, false
	}
	for _, d := range f.Decls {
		gd, ok := d.(*ast.GenDecl)
		if !ok || gd.Tok != token.IMPORT || len(gd.Specs) == 0 {
			continue
		}
		if gd.Lparen.IsValid() {
			return name, []analysis.TextEdit{{Pos: gd.Lparen + 1, NewText: []byte("\n\t\"" + path + "\"")}}, true
		}
		return name, []analysis.TextEdit{{Pos: gd.Pos(), NewText: []byte("import \"" + path + "\"\n")}}, true
	}
	return name, []analysis.TextEdit{{Pos: f.Name.End(), NewText: []byte("\n\nimport \"" + path + "\"")}}, true
}

// Fresh returns the first of names that means nothing at pos and is not declared
// in the rest of the function, or "".
func Fresh(pass *analysis.Pass, fn ast.Node, pos token.Pos, names ...string) string {
next:
	for _, name := range names {
		if _, obj := pass.Pkg.Scope().Innermost(pos).LookupParent(name, pos); obj != nil {
			continue
		}
		for id := range pass.TypesInfo.Defs {
			if id.Name == name && fn.Pos() <= id.Pos() && id.Pos() < fn.End() {
				continue next
			}
		}
		return name
	}
	return ""
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
