package swap

import (
	"go/ast"
	"go/token"
	"go/types"
)

// A site is an expression whose value becomes a value of another place's type.
type site struct {
	expr    ast.Expr
	target  types.Type   // nil where the type is inferred: x := expr
	owner   types.Object // the function called or the field set, if known
	convert bool         // an explicit conversion
}

// A tupleSite is a call or a comma-ok expression with several values at once.
type tupleSite struct {
	expr    ast.Expr
	tuple   *types.Tuple
	targets []types.Type    // nil where inferred, or the blank identifier
	assign  *ast.AssignStmt // or nil
	ret     *ast.ReturnStmt // or nil
	inBlock bool            // the statement stands in a list, so others can be added to it
}

// A sites visitor is told where values flow in a file.
type sites struct {
	info   *types.Info
	site   func(site)
	tuple  func(tupleSite)
	equal  func(x, y ast.Expr)     // compared with each other
	method func(*ast.SelectorExpr) // a method selected from a value
}

func (v *sites) walk(f *ast.File) {
	var stack []ast.Node
	ast.Inspect(f, func(n ast.Node) bool {
		if n == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		v.node(n, stack)
		stack = append(stack, n)
		return true
	})
}

func (v *sites) node(n ast.Node, stack []ast.Node) {
	switch n := n.(type) {
	case *ast.CallExpr:
		v.call(n)
	case *ast.AssignStmt:
		v.assign(n, stack)
	case *ast.ValueSpec:
		v.valueSpec(n)
	case *ast.ReturnStmt:
		v.ret(n, stack)
	case *ast.SendStmt:
		if ch, ok := v.under(n.Chan).(*types.Chan); ok {
			v.site(site{expr: n.Value, target: ch.Elem()})
		}
	case *ast.CompositeLit:
		v.composite(n)
	case *ast.IndexExpr:
		if m, ok := v.under(n.X).(*types.Map); ok {
			v.site(site{expr: n.Index, target: m.Key()})
		}
	case *ast.BinaryExpr:
		if n.Op == token.EQL || n.Op == token.NEQ {
			v.equal(n.X, n.Y)
		}
	case *ast.SelectorExpr:
		if sel := v.info.Selections[n]; sel != nil && sel.Kind() == types.MethodVal {
			v.method(n)
		}
	}
}

func (v *sites) under(e ast.Expr) types.Type {
	if t := v.info.TypeOf(e); t != nil {
		return t.Underlying()
	}
	return nil
}

func (v *sites) call(n *ast.CallExpr) {
	tv := v.info.Types[n.Fun]
	if tv.IsType() {
		if len(n.Args) == 1 {
			v.site(site{expr: n.Args[0], target: tv.Type, convert: true})
		}
		return
	}
	owner := callee(v.info, n)
	if tv.IsBuiltin() {
		if len(n.Args) == 0 {
			return
		}
		if m, ok := v.under(n.Args[0]).(*types.Map); ok && owner != nil && owner.Name() == "delete" && len(n.Args) == 2 {
			v.site(site{expr: n.Args[1], target: m.Key()})
		}
		if owner != nil && owner.Name() == "append" && !n.Ellipsis.IsValid() && len(n.Args) > 1 {
			if s, ok := v.under(n.Args[0]).(*types.Slice); ok {
				for _, a := range n.Args[1:] {
					v.site(site{expr: a, target: s.Elem()})
				}
			}
		}
		return
	}
	sig, ok := v.under(n.Fun).(*types.Signature)
	if !ok {
		return
	}
	if len(n.Args) == 1 {
		if _, ok := v.info.TypeOf(n.Args[0]).(*types.Tuple); ok {
			return // f(g()): nothing can be inserted
		}
	}
	for i, a := range n.Args {
		if t := paramType(sig, i, n.Ellipsis.IsValid()); t != nil {
			v.site(site{expr: a, target: t, owner: owner})
		}
	}
}

func paramType(sig *types.Signature, i int, ellipsis bool) types.Type {
	n := sig.Params().Len()
	if sig.Variadic() && i >= n-1 {
		t := sig.Params().At(n - 1).Type()
		if s, ok := t.Underlying().(*types.Slice); ok && !ellipsis {
			return s.Elem()
		}
		return t
	}
	if i < n {
		return sig.Params().At(i).Type()
	}
	return nil
}

// callee returns the function, variable or field that n calls.
func callee(info *types.Info, n *ast.CallExpr) types.Object {
	return used(info, n.Fun)
}

// used returns the object that the expression names, or nil.
func used(info *types.Info, e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return info.Uses[e]
	case *ast.SelectorExpr:
		return info.Uses[e.Sel]
	case *ast.IndexExpr:
		return used(info, e.X)
	case *ast.IndexListExpr:
		return used(info, e.X)
	}
	return nil
}

func (v *sites) assign(n *ast.AssignStmt, stack []ast.Node) {
	if n.Tok != token.ASSIGN && n.Tok != token.DEFINE {
		return
	}
	if len(stack) > 0 {
		if c, ok := stack[len(stack)-1].(*ast.CommClause); ok && c.Comm == n {
			return // a select's receive has to stay one
		}
	}
	if len(n.Lhs) == len(n.Rhs) {
		for i, lhs := range n.Lhs {
			if t, ok := v.lhsType(lhs); ok {
				v.site(site{expr: n.Rhs[i], target: t, owner: used(v.info, lhs)})
			}
		}
		return
	}
	tuple, ok := v.info.TypeOf(n.Rhs[0]).(*types.Tuple)
	if !ok || tuple.Len() != len(n.Lhs) {
		return
	}
	t := tupleSite{expr: n.Rhs[0], tuple: tuple, assign: n}
	for _, lhs := range n.Lhs {
		typ, _ := v.lhsType(lhs)
		t.targets = append(t.targets, typ)
	}
	t.inBlock = inList(n, stack)
	v.tuple(t)
}

// lhsType returns the type of an assignment's left-hand side: nil if it is
// inferred, and not ok for the blank identifier.
func (v *sites) lhsType(lhs ast.Expr) (types.Type, bool) {
	if id, ok := lhs.(*ast.Ident); ok {
		if id.Name == "_" {
			return nil, false
		}
		if v.info.Defs[id] != nil {
			return nil, true
		}
	}
	return v.info.TypeOf(lhs), true
}

func (v *sites) valueSpec(n *ast.ValueSpec) {
	if len(n.Names) != len(n.Values) {
		return
	}
	for i, e := range n.Values {
		var t types.Type
		if n.Type != nil {
			t = v.info.TypeOf(n.Type)
		} else if n.Names[i].Name == "_" {
			continue
		}
		v.site(site{expr: e, target: t})
	}
}

func (v *sites) ret(n *ast.ReturnStmt, stack []ast.Node) {
	var results *types.Tuple
	for i := len(stack) - 1; i >= 0 && results == nil; i-- {
		switch f := stack[i].(type) {
		case *ast.FuncLit:
			if sig, ok := v.info.TypeOf(f).(*types.Signature); ok {
				results = sig.Results()
			}
		case *ast.FuncDecl:
			if fn, ok := v.info.Defs[f.Name].(*types.Func); ok {
				results = fn.Signature().Results()
			}
		}
	}
	switch {
	case results == nil:
	case len(n.Results) == results.Len():
		for i, e := range n.Results {
			v.site(site{expr: e, target: results.At(i).Type()})
		}
	case len(n.Results) == 1:
		tuple, ok := v.info.TypeOf(n.Results[0]).(*types.Tuple)
		if !ok || tuple.Len() != results.Len() {
			return
		}
		t := tupleSite{expr: n.Results[0], tuple: tuple, ret: n, inBlock: inList(n, stack)}
		for r := range results.Variables() {
			t.targets = append(t.targets, r.Type())
		}
		v.tuple(t)
	}
}

// inList reports whether n stands in a list of statements.
func inList(n ast.Stmt, stack []ast.Node) bool {
	if len(stack) == 0 {
		return false
	}
	switch p := stack[len(stack)-1].(type) {
	case *ast.BlockStmt, *ast.CaseClause:
		return true
	case *ast.CommClause:
		return p.Comm != n
	}
	return false
}

func (v *sites) composite(n *ast.CompositeLit) {
	t := v.info.TypeOf(n)
	if t == nil {
		return
	}
	u := t.Underlying()
	if p, ok := u.(*types.Pointer); ok {
		u = p.Elem().Underlying() // an element &T{...} written {...}
	}
	for i, e := range n.Elts {
		kv, keyed := e.(*ast.KeyValueExpr)
		val := e
		if keyed {
			val = kv.Value
		}
		switch u := u.(type) {
		case *types.Struct:
			if keyed {
				if id, ok := kv.Key.(*ast.Ident); ok {
					if f, ok := v.info.Uses[id].(*types.Var); ok {
						v.site(site{expr: val, target: f.Type(), owner: f})
					}
				}
			} else if i < u.NumFields() {
				v.site(site{expr: val, target: u.Field(i).Type(), owner: u.Field(i)})
			}
		case *types.Slice:
			v.site(site{expr: val, target: u.Elem()})
		case *types.Array:
			v.site(site{expr: val, target: u.Elem()})
		case *types.Map:
			if keyed {
				v.site(site{expr: kv.Key, target: u.Key()})
			}
			v.site(site{expr: val, target: u.Elem()})
		}
	}
}
