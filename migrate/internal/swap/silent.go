package swap

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/packages"
)

// What compiles after the move, or is refused only by a package that cannot be
// changed, and would behave differently.

// others is what the packages that stay do with commands.
type others struct {
	asserts map[string]bool                // packages that may assert a type with a Cmd in it, and all that import them
	boxes   map[string]map[string]bool     // packages that may put one into an interface, by type
	ifaces  map[string][]*types.Interface  // interfaces with a Cmd in a method, by package
	imports map[string]map[string]struct{} // what a package imports, directly or not
}

func surveyOthers(w *world) *others {
	o := &others{
		asserts: make(map[string]bool),
		boxes:   make(map[string]map[string]bool),
		ifaces:  make(map[string][]*types.Interface),
		imports: make(map[string]map[string]struct{}),
	}
	isTarget := make(map[string]bool)
	for _, t := range w.targets {
		isTarget[t.PkgPath] = true
	}
	for _, p := range w.all { // dependencies first
		imports := make(map[string]struct{})
		for _, q := range p.Imports {
			imports[q.PkgPath] = struct{}{}
			for path := range o.imports[q.PkgPath] {
				imports[path] = struct{}{}
			}
		}
		o.imports[p.PkgPath] = imports
		if isTarget[p.PkgPath] || p.Module == nil || p.PkgPath == Xexec {
			continue
		}
		for path := range imports {
			o.asserts[p.PkgPath] = o.asserts[p.PkgPath] || o.asserts[path]
			for t := range o.boxes[path] {
				o.box(p.PkgPath, t)
			}
		}
		if p.Imports[Std] != nil && p.TypesInfo != nil {
			o.survey(p)
		}
	}
	return o
}

func (o *others) box(path, typ string) {
	if o.boxes[path] == nil {
		o.boxes[path] = make(map[string]bool)
	}
	o.boxes[path][typ] = true
}

func (o *others) survey(p *packages.Package) {
	for _, f := range p.Syntax {
		if len(assertions(p.TypesInfo, f)) > 0 {
			o.asserts[p.PkgPath] = true
		}
		boxes(p.TypesInfo, f, func(_ ast.Expr, t types.Type, _ types.Object) { o.box(p.PkgPath, t.String()) })
	}
	for _, name := range p.Types.Scope().Names() {
		tn, ok := p.Types.Scope().Lookup(name).(*types.TypeName)
		if !ok {
			continue
		}
		if n, ok := tn.Type().(*types.Named); ok && n.TypeParams().Len() > 0 {
			continue
		}
		if it, ok := tn.Type().Underlying().(*types.Interface); ok && mentionsCmd(it) && it.NumMethods() > 0 {
			o.ifaces[p.PkgPath] = append(o.ifaces[p.PkgPath], it)
		}
	}
}

// opaque reports whether obj belongs to a package that looks for os/exec's type
// inside of interfaces.
func (o *others) opaque(obj types.Object) bool {
	return obj.Pkg() != nil && o.asserts[obj.Pkg().Path()]
}

// pins returns the methods, by the position of their names, that have to keep
// os/exec's type because their receiver implements an interface of a package
// that stays.
func (o *others) pins(c *checked) []token.Position {
	var pinned []token.Position
	for _, name := range c.types.Scope().Names() {
		tn, ok := c.types.Scope().Lookup(name).(*types.TypeName)
		if !ok || tn.IsAlias() || types.IsInterface(tn.Type()) {
			continue
		}
		if n, ok := tn.Type().(*types.Named); ok && n.TypeParams().Len() > 0 {
			continue
		}
		ptr := types.NewPointer(tn.Type())
		for path := range o.imports[c.PkgPath] {
			for _, it := range o.ifaces[path] {
				if !types.Implements(ptr, it) {
					continue
				}
				for m := range it.Methods() {
					if !mentionsCmd(m.Type()) {
						continue
					}
					obj, _, _ := types.LookupFieldOrMethod(ptr, true, m.Pkg(), m.Name())
					if fn, ok := obj.(*types.Func); ok {
						pinned = append(pinned, c.world.fset.Position(fn.Pos()))
					}
				}
			}
		}
	}
	return pinned
}

// refusals returns why the package must stay although it might compile.
func (o *others) refusals(c *checked) []Reason {
	var reasons []Reason
	add := func(n ast.Node, format string, args ...any) {
		reasons = append(reasons, Reason{c.world.fset.Position(n.Pos()), fmt.Sprintf(format, args...)})
	}
	pipes := pipeVars(c)
	for _, f := range c.syntax {
		for _, a := range assertions(c.info, f) {
			if o.made(c, a) {
				add(a.node, "type assertion to %s on a value from %s, which makes such values with os/exec's type",
					typeString(a.typ), ownerOf(c.info, a.from).Pkg().Path())
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if n, ok := n.(*ast.TypeAssertExpr); ok && n.Type != nil && pipes[used(c.info, n.X)] {
				if t := c.info.TypeOf(n.Type); t != nil && t.String() == "*os.File" {
					add(n, "type assertion to *os.File on a pipe of the command: xexec's pipe has the methods of an *os.File and is none")
				}
			}
			return true
		})
	}
	return reasons
}

// made reports whether the value of an assertion comes straight from a package that
// stays and that puts such values into interfaces.
func (o *others) made(c *checked, a assertion) bool {
	owner := ownerOf(c.info, a.from)
	return owner != nil && owner.Pkg() != nil && o.boxes[owner.Pkg().Path()][a.typ.String()]
}

// ownerOf returns the function that e calls, or the variable or field that it is.
func ownerOf(info *types.Info, e ast.Expr) types.Object {
	if call, ok := ast.Unparen(e).(*ast.CallExpr); ok {
		return callee(info, call)
	}
	return used(info, e)
}

// pipeVars returns the variables that are assigned what StdoutPipe or StderrPipe
// returns.
func pipeVars(c *checked) map[types.Object]bool {
	vars := make(map[types.Object]bool)
	for _, f := range c.syntax {
		ast.Inspect(f, func(n ast.Node) bool {
			a, ok := n.(*ast.AssignStmt)
			if !ok || len(a.Rhs) != 1 || len(a.Lhs) != 2 {
				return true
			}
			call, ok := ast.Unparen(a.Rhs[0]).(*ast.CallExpr)
			if !ok {
				return true
			}
			fn, ok := callee(c.info, call).(*types.Func)
			if !ok || fn.Pkg() == nil || fn.Pkg().Path() != Std && fn.Pkg().Path() != Xexec ||
				fn.Name() != "StdoutPipe" && fn.Name() != "StderrPipe" {
				return true
			}
			if id, ok := a.Lhs[0].(*ast.Ident); ok && c.info.Defs[id] != nil {
				vars[c.info.Defs[id]] = true
			} else if obj := used(c.info, a.Lhs[0]); obj != nil {
				vars[obj] = true
			}
			return true
		})
	}
	delete(vars, nil)
	return vars
}

// A nameString is a string that names the Cmd type.
type nameString struct {
	lit  *ast.BasicLit
	mock bool // an argument of testify's AnythingOfType, and so changed with the type
}

// nameStrings finds strings that spell the type of package name ("exec" or
// "xexec"), as reflection and %T do.
func nameStrings(c *checked, f *ast.File, name string) []nameString {
	var found []nameString
	mocks := make(map[ast.Expr]bool)
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			obj := callee(c.info, n)
			if obj != nil && obj.Name() == "AnythingOfType" && obj.Pkg() != nil &&
				strings.HasSuffix(obj.Pkg().Path(), "testify/mock") && len(n.Args) == 1 {
				mocks[n.Args[0]] = true
			}
		case *ast.BasicLit:
			if tv := c.info.Types[n]; tv.Value != nil && tv.Value.Kind() == constant.String {
				if s := constant.StringVal(tv.Value); s == "*"+name+".Cmd" || s == name+".Cmd" {
					found = append(found, nameString{n, mocks[n]})
				}
			}
		}
		return true
	})
	return found
}

// renamed returns the change of a mock's string from one package's name to the
// other's.
func (n nameString) renamed(c *checked, from, to string) change {
	off := func(p token.Pos) int { return c.world.fset.Position(p).Offset }
	return change{edits: []edit{{off(n.lit.Pos()), off(n.lit.End()), strings.Replace(n.lit.Value, from+".Cmd", to+".Cmd", 1)}}}
}

// shadowed returns where a method that Cmd gains hides, in a struct that embeds
// it, something that was promoted from deeper down.
func shadowed(before, after *checked) []Reason {
	var reasons []Reason
	cmd := before.world.ext.Scope().Lookup("Cmd")
	if cmd == nil || before.types == nil || after.types == nil {
		return nil
	}
	methods := types.NewMethodSet(types.NewPointer(cmd.Type()))
	for _, name := range before.types.Scope().Names() {
		old, ok1 := before.types.Scope().Lookup(name).(*types.TypeName)
		now, ok2 := after.types.Scope().Lookup(name).(*types.TypeName)
		if !ok1 || !ok2 || types.IsInterface(old.Type()) {
			continue
		}
		for i := range methods.Len() {
			m := methods.At(i).Obj()
			was, _, _ := types.LookupFieldOrMethod(types.NewPointer(old.Type()), true, before.types, m.Name())
			is, _, _ := types.LookupFieldOrMethod(types.NewPointer(now.Type()), true, after.types, m.Name())
			if was == nil || was.Pkg() == nil || was.Pkg().Path() == Std || was.Pkg().Path() == Xexec {
				continue
			}
			if is == nil || is.Pkg() != nil && is.Pkg().Path() == Xexec {
				reasons = append(reasons, Reason{before.world.fset.Position(old.Pos()),
					fmt.Sprintf("%s embeds a command: xexec's method %s would hide what %s.%s is now", name, m.Name(), name, m.Name())})
			}
		}
	}
	return reasons
}

// typeString prints a type with the last elements of import paths.
func typeString(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string { return p.Name() })
}
