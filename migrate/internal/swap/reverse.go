package swap

import (
	"go/ast"
	"go/token"
	"go/types"
	"regexp"
	"strings"
)

// strip takes the bridges to os/exec out of a file, for the way back: Std and
// FromStd, with the variables and function literals that were made for them, the
// type's name in mocks, and the imports that are left over.
func strip(c *checked, f *ast.File, d *draft) []change {
	s := &stripper{checked: c, file: f, text: d.text, taken: make(map[ast.Node]bool), uses: make(map[types.Object]int)}
	for id, obj := range c.info.Uses {
		if f.FileStart <= id.Pos() && id.Pos() < f.FileEnd {
			s.uses[obj]++
		}
	}
	for _, n := range nameStrings(c, f, "xexec") {
		if n.mock {
			s.changes = append(s.changes, n.renamed(c, "xexec", "exec"))
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			s.params(n.Type, n.Body)
		case *ast.FuncLit:
			s.params(n.Type, n.Body)
			s.literal(n)
		case *ast.BlockStmt:
			s.list(n.List)
		case *ast.CaseClause:
			s.list(n.Body)
		case *ast.CommClause:
			s.list(n.Body)
		}
		return true
	})
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StarExpr: // *x.Std() of a value x
			if call, how := s.bridge(n.X); how == ptrToStd && !s.taken[call] {
				x := call.Fun.(*ast.SelectorExpr).X
				if addr, ok := ast.Unparen(x).(*ast.UnaryExpr); ok && addr.Op == token.AND { // of a literal
					x = addr.X
					s.taken[call] = true
					s.change(edit{s.off(n.Pos()), s.off(x.Pos()), ""}, edit{s.off(x.End()), s.off(call.End()), ""})
				} else if cmdOf(s.typeOf(x)) != "" {
					s.taken[call] = true
					s.change(edit{s.off(n.Pos()), s.off(n.X.Pos()), ""}, edit{s.off(x.End()), s.off(call.End()), ""})
				}
			}
		case *ast.CallExpr:
			if call, how := s.bridge(n); how != none && !s.taken[call] {
				s.plain(call, how)
			}
		}
		return true
	})
	if len(s.changes) > 0 {
		return s.changes
	}
	return mergeImports(c, f, d)
}

type stripper struct {
	*checked
	file    *ast.File
	text    []byte
	changes []change
	taken   map[ast.Node]bool    // bridges that go with something around them
	uses    map[types.Object]int // in this file
}

func (s *stripper) off(p token.Pos) int { return s.world.fset.Position(p).Offset }
func (s *stripper) change(edits ...edit) {
	s.changes = append(s.changes, change{edits: edits})
}

func (s *stripper) typeOf(e ast.Expr) types.Type {
	if t := s.info.TypeOf(e); t != nil {
		return t
	}
	return types.Typ[types.Invalid]
}

// bridge returns e as a call of Std or FromStd, or a conversion to xexec's Cmd.
func (s *stripper) bridge(e ast.Expr) (*ast.CallExpr, conversion) {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return nil, none
	}
	if tv := s.info.Types[call.Fun]; tv.IsType() && len(call.Args) == 1 && cmdOf(tv.Type) == Xexec && cmdOf(s.typeOf(call.Args[0])) == Std {
		return call, valFrom
	}
	fn, ok := callee(s.info, call).(*types.Func)
	if !ok || fn.Pkg() == nil || fn.Pkg().Path() != Xexec {
		return nil, none
	}
	_, selector := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	switch {
	case fn.Name() == "Std" && selector && len(call.Args) == 0:
		return call, ptrToStd
	case fn.Name() == "FromStd" && len(call.Args) == 1:
		return call, ptrFrom
	}
	return nil, none
}

// across returns what a bridge converts.
func (s *stripper) across(e ast.Expr) (ast.Expr, *ast.CallExpr) {
	switch call, how := s.bridge(e); how {
	case ptrToStd:
		return ast.Unparen(call.Fun).(*ast.SelectorExpr).X, call
	case ptrFrom, valFrom:
		return call.Args[0], call
	}
	return nil, nil
}

func (s *stripper) plain(call *ast.CallExpr, how conversion) {
	if how == ptrToStd {
		sel := ast.Unparen(call.Fun).(*ast.SelectorExpr)
		if p, ok := sel.X.(*ast.ParenExpr); ok && !primary(p.X) && s.lone(call) {
			s.change(edit{s.off(p.Pos()), s.off(p.X.Pos()), ""}, edit{s.off(p.X.End()), s.off(call.End()), ""})
			return
		}
		s.change(edit{s.off(sel.X.End()), s.off(call.End()), ""})
		return
	}
	if arg := call.Args[0]; primary(arg) || how == ptrFrom && s.lone(call) {
		s.change(edit{s.off(call.Pos()), s.off(arg.Pos()), ""}, edit{s.off(arg.End()), s.off(call.End()), ""})
	} else {
		s.change(edit{s.off(call.Fun.Pos()), s.off(call.Fun.End()), ""})
	}
}

// lone reports whether call is a whole value, so that what is left of it needs no
// parentheses.
func (s *stripper) lone(call *ast.CallExpr) bool {
	alone := false
	v := &sites{
		info:   s.info,
		site:   func(st site) { alone = alone || st.expr == call },
		tuple:  func(tupleSite) {},
		equal:  func(x, y ast.Expr) {},
		method: func(*ast.SelectorExpr) {},
	}
	v.walk(s.file)
	return alone
}

// params undoes what adaptParams did.
func (s *stripper) params(typ *ast.FuncType, body *ast.BlockStmt) {
	if body == nil {
		return
	}
	byName := make(map[types.Object]*ast.Ident)
	for _, f := range typ.Params.List {
		for _, name := range f.Names {
			byName[s.info.Defs[name]] = name
		}
	}
	for _, stmt := range body.List {
		name, from, call, ok := s.converting(stmt, token.DEFINE)
		if !ok || byName[from] == nil || s.uses[from] != 1 {
			return
		}
		start, end, whole := lineOf(s.text, s.off(stmt.Pos()), s.off(stmt.End()))
		if !whole {
			return
		}
		s.taken[call] = true
		id := byName[from]
		s.change(edit{s.off(id.Pos()), s.off(id.End()), name.Name}, edit{start, end, ""})
	}
}

// converting recognizes "x := FromStd(stdX)".
func (s *stripper) converting(stmt ast.Stmt, toks ...token.Token) (*ast.Ident, types.Object, *ast.CallExpr, bool) {
	a, ok := stmt.(*ast.AssignStmt)
	if !ok || len(a.Lhs) != 1 || len(a.Rhs) != 1 {
		return nil, nil, nil, false
	}
	match := false
	for _, tok := range toks {
		match = match || a.Tok == tok
	}
	name, ok := a.Lhs[0].(*ast.Ident)
	x, call := s.across(a.Rhs[0])
	from, ok2 := x.(*ast.Ident)
	if !match || !ok || !ok2 || from.Name != stdOf(name.Name) && !numbered(from.Name, stdOf(name.Name)) {
		return nil, nil, nil, false
	}
	return name, s.info.Uses[from], call, true
}

func numbered(name, base string) bool {
	rest, ok := strings.CutPrefix(name, base)
	return ok && strings.Trim(rest, "0123456789") == ""
}

var tupleName = regexp.MustCompile(`^(_|v\d+|std[A-Z_].*)$`)

// list undoes, in a list of statements, what split.go did.
func (s *stripper) list(list []ast.Stmt) {
	for i, stmt := range list {
		first, ok := stmt.(*ast.AssignStmt)
		if !ok || len(first.Rhs) != 1 || len(first.Lhs) < 2 || first.Tok != token.DEFINE || i == len(list)-1 {
			continue
		}
		if s.joined(first, list[i+1]) {
			continue
		}
		lhs := make(map[types.Object]*ast.Ident)
		for _, e := range first.Lhs {
			if id, ok := e.(*ast.Ident); ok && s.info.Defs[id] != nil {
				lhs[s.info.Defs[id]] = id
			}
		}
		for _, next := range list[i+1:] {
			name, from, call, ok := s.converting(next, token.DEFINE, token.ASSIGN)
			if !ok || lhs[from] == nil || s.uses[from] != 1 {
				break
			}
			start, end, whole := lineOf(s.text, s.off(next.Pos()), s.off(next.End()))
			if !whole {
				break
			}
			s.taken[call] = true
			id := lhs[from]
			s.change(edit{s.off(id.Pos()), s.off(id.End()), name.Name}, edit{start, end, ""})
		}
	}
}

// joined puts "stdA, v1 := f()" and the statement after it that uses these
// variables once, in order, together again.
func (s *stripper) joined(first *ast.AssignStmt, next ast.Stmt) bool {
	var values []ast.Expr
	var lead string
	switch next := next.(type) {
	case *ast.ReturnStmt:
		values, lead = next.Results, "return "
	case *ast.AssignStmt:
		if next.Tok != token.ASSIGN || len(next.Lhs) != len(next.Rhs) {
			return false
		}
		values = next.Rhs
	default:
		return false
	}
	var names []string
	var calls []*ast.CallExpr
	at := 0
	for _, e := range first.Lhs {
		id, ok := e.(*ast.Ident)
		if !ok || !tupleName.MatchString(id.Name) {
			return false
		}
		if id.Name == "_" && lead == "" {
			names = append(names, "_")
			continue
		}
		if at == len(values) {
			return false
		}
		v := values[at]
		if x, call := s.across(v); call != nil {
			v, calls = x, append(calls, call)
		}
		use, ok := v.(*ast.Ident)
		if !ok || s.info.Uses[use] == nil || s.info.Uses[use] != s.info.Defs[id] || s.uses[s.info.Defs[id]] != 1 {
			return false
		}
		if a, ok := next.(*ast.AssignStmt); ok {
			names = append(names, string(s.text[s.off(a.Lhs[at].Pos()):s.off(a.Lhs[at].End())]))
		}
		at++
	}
	if at != len(values) || len(calls) == 0 {
		return false
	}
	for _, call := range calls {
		s.taken[call] = true
	}
	if lead == "" {
		lead = strings.Join(names, ", ") + " = "
	}
	rhs := first.Rhs[0]
	s.change(edit{s.off(first.Pos()), s.off(rhs.Pos()), lead}, edit{s.off(rhs.End()), s.off(next.End()), ""})
	return true
}

// literal takes a function literal away that does nothing but convert between a
// function and the type that is asked for, as wrap makes them.
func (s *stripper) literal(lit *ast.FuncLit) {
	if len(lit.Body.List) != 1 || !s.wanted(lit) {
		return
	}
	var e ast.Expr
	switch stmt := lit.Body.List[0].(type) {
	case *ast.ExprStmt:
		e = stmt.X
	case *ast.ReturnStmt:
		if len(stmt.Results) == 1 {
			e = stmt.Results[0]
		}
	}
	if e == nil {
		return
	}
	var bridges []*ast.CallExpr
	if x, call := s.across(e); call != nil {
		e, bridges = x, append(bridges, call)
	}
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return
	}
	fn, ok := used(s.info, call.Fun).(*types.Func)
	if !ok || !mirrored(s.typeOf(lit), s.typeOf(call.Fun)) || fn.Pkg() == nil || fn.Pkg().Path() == Xexec {
		return
	}
	var params []types.Object
	for _, f := range lit.Type.Params.List {
		for _, name := range f.Names {
			params = append(params, s.info.Defs[name])
		}
	}
	if len(params) != len(call.Args) {
		return
	}
	for i, arg := range call.Args {
		if x, b := s.across(arg); b != nil {
			arg, bridges = x, append(bridges, b)
		}
		id, ok := arg.(*ast.Ident)
		if !ok || s.info.Uses[id] != params[i] {
			return
		}
	}
	if len(bridges) == 0 {
		return
	}
	for _, b := range bridges {
		s.taken[b] = true
	}
	s.change(edit{s.off(lit.Pos()), s.off(call.Fun.Pos()), ""}, edit{s.off(call.Fun.End()), s.off(lit.End()), ""})
}

// wanted reports whether a type is asked for where e stands.
func (s *stripper) wanted(e ast.Expr) bool {
	asked := false
	v := &sites{
		info:   s.info,
		site:   func(st site) { asked = asked || st.expr == e && st.target != nil },
		tuple:  func(tupleSite) {},
		equal:  func(x, y ast.Expr) {},
		method: func(*ast.SelectorExpr) {},
	}
	v.walk(s.file)
	return asked
}

// mirrored reports whether two function types are the same but for the two Cmds.
func mirrored(a, b types.Type) bool {
	fa, ok1 := a.Underlying().(*types.Signature)
	fb, ok2 := b.Underlying().(*types.Signature)
	if !ok1 || !ok2 || fa.Variadic() != fb.Variadic() {
		return false
	}
	same := func(a, b *types.Tuple) bool {
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			ta, tb := a.At(i).Type(), b.At(i).Type()
			if !types.Identical(ta, tb) && (ptrCmdOf(ta) == "" || ptrCmdOf(tb) == "") {
				return false
			}
		}
		return true
	}
	return same(fa.Params(), fb.Params()) && same(fa.Results(), fb.Results())
}

// mergeImports makes a file that imports both packages import os/exec alone, under
// xexec's name: what is left of it is the type's name. Imports of xexec that nothing
// in the file uses go too.
func mergeImports(c *checked, f *ast.File, d *draft) []change {
	e := &importEditor{c.world.fset, f, d.text, d.formatted()}
	used := make(map[types.Object][]*ast.Ident)
	ast.Inspect(f, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && c.info.Uses[id] != nil {
			used[c.info.Uses[id]] = append(used[c.info.Uses[id]], id)
		}
		return true
	})
	var std, ext types.Object
	var stdSpec *ast.ImportSpec
	var exts int
	var ch change
	for _, spec := range f.Imports {
		obj := c.info.Implicits[spec]
		if spec.Name != nil {
			obj = c.info.Defs[spec.Name]
		}
		switch path := specPath(spec); {
		case obj == nil || obj.Name() == "." || obj.Name() == "_":
		case path == Std:
			std, stdSpec = obj, spec
		case path == Xexec:
			exts++
			if ext == nil || len(used[ext]) == 0 {
				ext = obj
			}
			if len(used[obj]) == 0 {
				ch.edits = append(ch.edits, e.remove(spec)...)
			}
		}
	}
	switch {
	case ext == nil || exts > 1 && len(ch.edits) > 0 || std == nil:
	case len(used[ext]) > 0:
		for _, spec := range f.Imports {
			if specPath(spec) == Xexec {
				ch.edits = append(ch.edits, e.remove(spec)...)
			}
		}
		fallthrough
	default:
		if std.Name() != ext.Name() {
			for _, id := range used[std] {
				ch.edits = append(ch.edits, edit{e.off(id.Pos()), e.off(id.End()), ext.Name()})
			}
		}
		ch.edits = append(ch.edits, edit{e.off(stdSpec.Pos()), e.off(stdSpec.Path.End()), importText(ext.Name(), Std)})
	}
	if len(ch.edits) == 0 {
		return nil
	}
	return []change{ch}
}
