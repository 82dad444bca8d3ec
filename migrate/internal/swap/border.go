package swap

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// The border of a package that others import: what it exports keeps os/exec's type,
// so that importers outside of the module compile as before. Inside, commands are
// xexec's, and are converted where they cross.

// A symbol is something exported that has a command in its type.
type symbol struct {
	pos  token.Position
	name string // with its kind: "func Start", "field Job.Cmd"
	obj  types.Object
}

// isPublic reports whether packages of other modules can import t.
func (t *target) isPublic() bool {
	return t.local && t.Name != "main" && t.ForTest == "" && !strings.HasSuffix(t.ID, ".test") &&
		!strings.Contains("/"+t.PkgPath+"/", "/internal/")
}

// symbols returns what a public package exports with the Cmd of package path in its
// type: its own declarations, and the fields and methods of the module's types that
// they lead to.
func symbols(c *checked, path string, local map[*types.Package]bool) []symbol {
	w := &apiWalk{path: path, local: local, seen: make(map[types.Type]bool)}
	w.fset = c.world.fset
	scope := c.types.Scope()
	for _, name := range scope.Names() {
		obj := scope.Lookup(name)
		if !obj.Exported() {
			continue
		}
		switch obj := obj.(type) {
		case *types.Func:
			w.member("func "+name, obj, obj.Type())
		case *types.Var:
			w.member("var "+name, obj, obj.Type())
		case *types.TypeName:
			if obj.IsAlias() {
				w.member("type "+name, obj, types.Unalias(obj.Type()))
			} else {
				w.lead(obj.Type())
			}
		}
	}
	return w.found
}

type apiWalk struct {
	path  string
	fset  *token.FileSet
	local map[*types.Package]bool
	seen  map[types.Type]bool
	found []symbol
}

// member notes an exported object if its type has the Cmd, and follows the type.
func (w *apiWalk) member(name string, obj types.Object, t types.Type) {
	has := false
	w.parts(t, make(map[types.Type]bool), func(n *types.Named) { has = has || cmdOf(n) == w.path })
	if has {
		w.found = append(w.found, symbol{w.fset.Position(obj.Pos()), name, obj})
	}
	w.lead(t)
}

// lead follows a type to the module's named types in it.
func (w *apiWalk) lead(t types.Type) {
	w.parts(t, make(map[types.Type]bool), w.named)
}

// named looks at what a named type of the module lets others see.
func (w *apiWalk) named(n *types.Named) {
	n = n.Origin()
	if w.seen[n] || !w.local[n.Obj().Pkg()] {
		return
	}
	w.seen[n] = true
	name := n.Obj().Name()
	switch u := n.Underlying().(type) {
	case *types.Struct:
		for f := range u.Fields() {
			if f.Exported() {
				w.member("field "+name+"."+f.Name(), f, f.Type())
			} else if f.Embedded() {
				w.lead(f.Type())
			}
		}
	case *types.Interface:
		for m := range u.ExplicitMethods() {
			if m.Exported() {
				w.member("method "+name+"."+m.Name(), m, m.Type())
			}
		}
		for e := range u.EmbeddedTypes() {
			w.lead(e)
		}
	default:
		w.member("type "+name, n.Obj(), u)
	}
	for m := range n.Methods() {
		if m.Exported() {
			w.member("method "+name+"."+m.Name(), m, m.Type())
		}
	}
}

// parts calls found for the named types that t is made of.
func (w *apiWalk) parts(t types.Type, seen map[types.Type]bool, found func(*types.Named)) {
	t = types.Unalias(t)
	if t == nil || seen[t] {
		return
	}
	seen[t] = true
	part := func(t types.Type) { w.parts(t, seen, found) }
	tuple := func(t *types.Tuple) {
		for v := range t.Variables() {
			part(v.Type())
		}
	}
	switch t := t.(type) {
	case *types.Named:
		found(t)
		for a := range t.TypeArgs().Types() {
			part(a)
		}
	case *types.Pointer:
		part(t.Elem())
	case *types.Slice:
		part(t.Elem())
	case *types.Array:
		part(t.Elem())
	case *types.Chan:
		part(t.Elem())
	case *types.Map:
		part(t.Key())
		part(t.Elem())
	case *types.Signature:
		tuple(t.Params())
		tuple(t.Results())
		for p := range t.TypeParams().TypeParams() {
			part(p.Constraint())
		}
	case *types.Struct:
		for f := range t.Fields() {
			part(f.Type())
		}
	case *types.Interface:
		for m := range t.Methods() {
			part(m.Type())
		}
		for e := range t.EmbeddedTypes() {
			part(e)
		}
	case *types.Union:
		for term := range t.Terms() {
			part(term.Type())
		}
	}
}

// findBorder notes the symbols of the module's public packages, and pins them. Methods
// of the same name and type are pinned too: one may have to implement the other.
func (s *solver) findBorder(cs []*checked) {
	if s.options.Reverse || s.options.Exported {
		return
	}
	local := make(map[*types.Package]bool)
	for _, c := range cs {
		if c.local && c.types != nil {
			local[c.types] = true
		}
	}
	methods := make(map[string]bool)
	for _, c := range cs {
		if c.types == nil || !c.isPublic() {
			continue
		}
		for _, sym := range symbols(c, Std, local) {
			unit := c.unit
			if i := unitOf(sym.obj, cs); i != "" {
				unit = i
			}
			if !s.hasSymbol(unit, sym) {
				s.symbols[unit] = append(s.symbols[unit], sym)
			}
			s.pinned[sym.pos], s.border[sym.pos] = true, true
			if fn, ok := sym.obj.(*types.Func); ok && fn.Signature().Recv() != nil {
				methods[methodKey(fn)] = true
			}
			if v, ok := sym.obj.(*types.Var); ok && v.Embedded() {
				s.block(unit, Reason{sym.pos, sym.name + " is exported and embeds a command, so that its methods are exported too; see -exported"})
			}
		}
	}
	for _, c := range cs {
		if !c.local {
			continue
		}
		for id, obj := range c.info.Defs {
			if fn, ok := obj.(*types.Func); ok && fn.Signature().Recv() != nil && methods[methodKey(fn)] {
				pos := c.world.fset.Position(id.Pos())
				s.pinned[pos], s.border[pos] = true, true
			}
		}
	}
}

func unitOf(obj types.Object, cs []*checked) string {
	for _, c := range cs {
		if c.types == obj.Pkg() {
			return c.unit
		}
	}
	return ""
}

func (s *solver) hasSymbol(unit string, sym symbol) bool {
	for _, old := range s.symbols[unit] {
		if old.pos == sym.pos {
			return true
		}
	}
	return false
}

// methodKey returns the name and type of a method, without its parameters' names.
func methodKey(fn *types.Func) string {
	var b strings.Builder
	b.WriteString(fn.Name())
	for _, t := range []*types.Tuple{fn.Signature().Params(), fn.Signature().Results()} {
		b.WriteByte('(')
		for v := range t.Variables() {
			b.WriteString(v.Type().String() + ",")
		}
		b.WriteByte(')')
	}
	return b.String()
}

// pin keeps os/exec's type in the declarations that an interface of a package that
// stays asks for, and in those that are exported. It also follows testify's habit to
// name types in strings.
func (s *solver) pin(x *crosser) []change {
	var changes []change
	for _, n := range nameStrings(x.checked, x.file, "exec") {
		if n.mock {
			changes = append(changes, n.renamed(x.checked, "exec", "xexec"))
		}
	}
	pinned := func(ids ...*ast.Ident) bool {
		for _, id := range ids {
			if s.pinned[s.origin(x.world.fset.Position(id.Pos()))] {
				return true
			}
		}
		return false
	}
	add := func(c *change) {
		if len(c.edits) > 0 {
			c.decl = true
			changes = append(changes, *c)
		}
	}
	for _, d := range x.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if pinned(d.Name) {
				c := &change{}
				wanted := func(t types.Type) bool { return ptrCmdOf(t) == Xexec }
				other := func(e ast.Expr) { x.retype(c, e) }
				x.adaptParams(c, d.Type, d.Body, wanted, other)
				x.adaptResults(c, d.Type, wanted, other)
				add(c)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				c := &change{}
				n := len(x.changes)
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					_, isStruct := spec.Type.(*ast.StructType)
					_, isInterface := spec.Type.(*ast.InterfaceType)
					if !isStruct && !isInterface && pinned(spec.Name) {
						x.retype(c, spec.Type)
						break
					}
					ast.Inspect(spec.Type, func(n ast.Node) bool {
						if f, ok := n.(*ast.Field); ok && len(f.Names) > 0 && pinned(f.Names...) {
							x.retype(c, f.Type)
							return false
						}
						return true
					})
				case *ast.ValueSpec:
					switch {
					case !pinned(spec.Names...):
					case spec.Type != nil:
						x.retype(c, spec.Type)
					case len(spec.Names) == len(spec.Values):
						for _, v := range spec.Values {
							x.kept[v] = true
							if ptrCmdOf(x.typeOf(v)) == Xexec {
								x.convert(v, ptrToStd, nil, nil)
							}
						}
					}
				}
				add(c)
				for i := range x.changes[n:] {
					x.changes[n+i].decl = true
				}
			}
		}
	}
	return changes
}

// retype makes xexec's Cmd os/exec's wherever the type expression e names it.
func (x *crosser) retype(c *change, e ast.Expr) {
	named := func(id *ast.Ident) bool {
		tn, ok := x.info.Uses[id].(*types.TypeName)
		return ok && !tn.IsAlias() && cmdOf(tn.Type()) == Xexec
	}
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if named(n.Sel) {
				c.edits = append(c.edits, edit{x.off(n.Pos()), x.off(n.End()), x.qualify(c, Std, n.Pos()) + "Cmd"})
			}
			return false
		case *ast.Ident:
			if named(n) {
				c.edits = append(c.edits, edit{x.off(n.Pos()), x.off(n.End()), x.qualify(c, Std, n.Pos()) + "Cmd"})
			}
		}
		return true
	})
}

// openBorders returns what of the moved packages is exported with xexec's type, by
// unit, other than in files that imported xexec before.
func (s *solver) openBorders(cs []*checked) map[string][]Reason {
	open := make(map[string][]Reason)
	if s.options.Exported {
		return open
	}
	local := make(map[*types.Package]bool)
	for _, c := range cs {
		if c.local && c.types != nil {
			local[c.types] = true
		}
	}
	for _, c := range cs {
		if c.types == nil || !c.isPublic() || s.broken[c.target] {
			continue
		}
		for _, sym := range symbols(c, Xexec, local) {
			if unit := unitOf(sym.obj, cs); s.moving[unit] && !parseHeader(sym.pos.Filename).imports[Xexec] {
				r := Reason{s.origin(sym.pos), sym.name + " is exported, and its type cannot stay os/exec's while the package moves; see -exported"}
				open[unit] = append(open[unit], r)
			}
		}
	}
	return open
}
