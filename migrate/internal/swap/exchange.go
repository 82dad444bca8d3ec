package swap

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// units groups the module's packages, by directory, into sets that exchange a
// Cmd with each other. A set moves as a whole or stays as a whole.
type units struct {
	parent map[string]string
	why    map[[2]string]Reason // where and how two units exchange the type
}

func newUnits() *units {
	return &units{parent: make(map[string]string), why: make(map[[2]string]Reason)}
}

func (u *units) find(unit string) string {
	for {
		p, ok := u.parent[unit]
		if !ok || p == unit {
			return unit
		}
		unit = p
	}
}

func (u *units) join(a, b string, pos token.Position, how string) {
	pair := [2]string{a, b}
	if old, ok := u.why[pair]; !ok || pos.Filename < old.Pos.Filename || pos.Filename == old.Pos.Filename && pos.Offset < old.Pos.Offset {
		u.why[pair] = Reason{pos, how}
	}
	if ra, rb := u.find(a), u.find(b); ra != rb {
		u.parent[ra] = rb
	}
}

// reason says how unit is tied to the unit other of its set.
func (u *units) reason(unit, other string, name func(string) string) Reason {
	for _, pair := range [][2]string{{unit, other}, {other, unit}} {
		if why, ok := u.why[pair]; ok {
			return Reason{why.Pos, fmt.Sprintf("%s with %s, which stays", why.Msg, name(other))}
		}
	}
	var neighbours []string
	for pair := range u.why {
		if pair[0] == unit && pair[1] != unit {
			neighbours = append(neighbours, pair[1])
		} else if pair[1] == unit {
			neighbours = append(neighbours, pair[0])
		}
	}
	if len(neighbours) == 0 {
		return Reason{Msg: fmt.Sprintf("uses %s, which stays", name(other))}
	}
	n := slices.Min(neighbours)
	for _, pair := range [][2]string{{unit, n}, {n, unit}} {
		if why, ok := u.why[pair]; ok {
			return Reason{why.Pos, fmt.Sprintf("%s with %s, and so with %s, which stays", why.Msg, name(n), name(other))}
		}
	}
	return Reason{}
}

// A flow is a place where a value with a Cmd in its type enters an interface or
// is taken out of one by a type assertion.
type flow struct {
	unit string
	pos  token.Position
}

// exchange finds which targets of a world exchange the type.
func (s *solver) exchange(cs []*checked, o *others) {
	u := s.units
	unitOf := make(map[*types.Package]string)
	for _, c := range cs {
		if c.types != nil {
			unitOf[c.types] = c.unit
		}
	}
	boxed, unboxed := make(map[string][]flow), make(map[string][]flow)
	for _, c := range cs {
		pos := func(n ast.Node) token.Position { return c.world.fset.Position(n.Pos()) }
		link := func(n ast.Node, obj types.Object, t types.Type) {
			if obj == nil || obj.Pkg() == nil {
				return
			}
			other, ok := unitOf[obj.Pkg()]
			switch {
			case !ok || other == c.unit || !mentionsCmd(t):
			case s.border[c.world.fset.Position(obj.Pos())]:
				s.links[link{c.unit, other}] = true
			default:
				u.join(c.unit, other, pos(n), "exchanges exec.Cmd")
			}
		}
		for id, obj := range c.info.Uses {
			if _, ok := obj.(*types.PkgName); !ok {
				link(id, originOf(obj), obj.Type())
			}
		}
		for _, f := range c.syntax {
			ast.Inspect(f, func(n ast.Node) bool {
				if lit, ok := n.(*ast.CompositeLit); ok { // unkeyed: no field is named
					if st, ok := structOf(c.info.TypeOf(lit)); ok && len(lit.Elts) > 0 {
						for f := range st.Fields() {
							link(lit, f, f.Type())
						}
					}
				}
				return true
			})
			for _, t := range assertions(c.info, f) {
				if o.made(c, t) {
					continue // it is the other package's command
				}
				key := t.typ.String()
				unboxed[key] = append(unboxed[key], flow{c.unit, pos(t.node)})
			}
			boxes(c.info, f, func(e ast.Expr, t types.Type, _ types.Object) {
				boxed[t.String()] = append(boxed[t.String()], flow{c.unit, pos(e)})
			})
		}
	}
	for key, outs := range unboxed {
		for _, out := range outs {
			for _, in := range boxed[key] {
				if in.unit != out.unit {
					u.join(out.unit, in.unit, out.pos, "may exchange exec.Cmd, in an interface,")
				}
			}
		}
	}
}

func structOf(t types.Type) (*types.Struct, bool) {
	if t == nil {
		return nil, false
	}
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	st, ok := t.Underlying().(*types.Struct)
	return st, ok
}

// An assertion asks an interface for a type with a Cmd in it.
type assertion struct {
	node ast.Expr
	from ast.Expr // the interface value
	typ  types.Type
}

func assertions(info *types.Info, f *ast.File) []assertion {
	var found []assertion
	check := func(e, from ast.Expr) {
		if t := info.TypeOf(e); t != nil && mentionsCmd(t) {
			found = append(found, assertion{e, from, t})
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeAssertExpr:
			if n.Type != nil {
				check(n.Type, n.X)
			}
		case *ast.TypeSwitchStmt:
			for _, s := range n.Body.List {
				for _, e := range s.(*ast.CaseClause).List {
					check(e, switched(n))
				}
			}
		}
		return true
	})
	return found
}

// switched returns x of "switch y := x.(type)".
func switched(n *ast.TypeSwitchStmt) ast.Expr {
	var e ast.Expr
	switch a := n.Assign.(type) {
	case *ast.ExprStmt:
		e = a.X
	case *ast.AssignStmt:
		e = a.Rhs[0]
	}
	if ta, ok := ast.Unparen(e).(*ast.TypeAssertExpr); ok {
		return ta.X
	}
	return e
}

// boxes reports where a value with a Cmd in its type becomes an interface, and
// for which function or field. Printing does not count.
func boxes(info *types.Info, f *ast.File, found func(ast.Expr, types.Type, types.Object)) {
	v := &sites{
		info: info,
		site: func(s site) {
			t := info.TypeOf(s.expr)
			if s.target == nil || t == nil || !types.IsInterface(s.target) || types.IsInterface(t) || !mentionsCmd(t) {
				return
			}
			if printing(s.owner) {
				return
			}
			found(s.expr, t, s.owner)
		},
		tuple:  func(tupleSite) {},
		equal:  func(x, y ast.Expr) {},
		method: func(*ast.SelectorExpr) {},
	}
	v.walk(f)
}

// printing reports whether a function only shows what it is given.
func printing(fn types.Object) bool {
	if fn == nil || fn.Pkg() == nil {
		return false
	}
	switch fn.Pkg().Path() {
	case "fmt", "log", "log/slog", "testing":
		return true
	}
	return false
}
