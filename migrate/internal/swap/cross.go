package swap

import (
	"bytes"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"golang.org/x/tools/go/packages"
)

// A crosser finds, in one file of a rewritten package, the places where a value
// meets the Cmd of the other side, and the changes that convert it.
type crosser struct {
	*checked
	file    *ast.File
	draft   *draft
	mixed   bool                    // imports both packages since before: only mend, infer nothing
	opaque  func(types.Object) bool // hands values to code that asserts os/exec's type
	kept    map[ast.Expr]bool       // values of exported variables, which keep os/exec's type
	changes []change

	conflicts []token.Position // what only some configurations want converted
}

func (x *crosser) run() []change {
	v := &sites{info: x.info, site: x.site, tuple: x.tuple, equal: x.equal, method: x.method}
	v.walk(x.file)
	return x.changes
}

func (x *crosser) site(s site) {
	from := x.info.TypeOf(s.expr)
	if from == nil {
		return
	}
	if s.target == nil {
		if !x.mixed && !x.kept[s.expr] && ptrCmdOf(from) == Std {
			n := len(x.changes)
			x.convert(s.expr, ptrFrom, from, nil)
			for i := range x.changes[n:] {
				x.changes[n+i].decl = true
			}
		}
		return
	}
	switch {
	case types.IsInterface(s.target):
		x.box(s, from)
		return
	case types.AssignableTo(from, s.target), s.convert && types.ConvertibleTo(from, s.target):
		return
	}
	x.convert(s.expr, converts(from, s.target), from, s.target)
}

// box settles which type an interface gets to hold: os/exec's for code that looks
// for that, else xexec's, as everything else in the package has.
func (x *crosser) box(s site, from types.Type) {
	opaque := s.owner != nil && x.opaque(s.owner)
	switch ptrCmdOf(from) {
	case Xexec:
		if opaque {
			x.convert(s.expr, ptrToStd, from, nil)
		}
	case Std:
		if !opaque && !x.mixed && !printing(s.owner) {
			x.convert(s.expr, ptrFrom, from, nil)
		}
	}
}

func (x *crosser) equal(a, b ast.Expr) {
	for range 2 {
		if ptrCmdOf(x.typeOf(a)) == Std && ptrCmdOf(x.typeOf(b)) == Xexec {
			x.convert(a, ptrFrom, nil, nil)
		}
		a, b = b, a
	}
}

// method makes a method of an os/exec command in migrated code xexec's: it may
// be a command that xexec started.
func (x *crosser) method(n *ast.SelectorExpr) {
	switch t := x.typeOf(n.X); {
	case x.mixed:
	case ptrCmdOf(t) == Std:
		x.convert(n.X, ptrFrom, nil, nil)
	case cmdOf(t) == Std && x.info.Types[n.X].Addressable():
		c := change{}
		at := x.off(n.X.Pos())
		c.edits = []edit{{at, at, x.qualify(&c, Xexec, n.Pos()) + "FromStd(&"}, {x.off(n.X.End()), x.off(n.X.End()), ")"}}
		x.changes = append(x.changes, c)
	}
}

func (x *crosser) typeOf(e ast.Expr) types.Type {
	if t := x.info.TypeOf(e); t != nil {
		return t
	}
	return types.Typ[types.Invalid]
}

// convert changes e by the conversion how. For wrapFuncs, from and to are e's
// type and the one needed.
func (x *crosser) convert(e ast.Expr, how conversion, from, to types.Type) {
	if (how == ptrToStd || how == ptrFrom) && x.undoes(e, how) {
		x.conflicts = append(x.conflicts, x.world.fset.Position(e.Pos()))
		return
	}
	c := &change{}
	start, end := x.off(e.Pos()), x.off(e.End())
	switch how {
	case ptrToStd:
		if primary(e) {
			c.edits = []edit{{end, end, ".Std()"}}
		} else {
			c.edits = []edit{{start, start, "("}, {end, end, ").Std()"}}
		}
	case ptrFrom:
		c.edits = []edit{{start, start, x.qualify(c, Xexec, e.Pos()) + "FromStd("}, {end, end, ")"}}
	case valFrom:
		c.edits = []edit{{start, start, x.qualify(c, Xexec, e.Pos()) + "Cmd("}, {end, end, ")"}}
	case valToStd:
		switch u := ast.Unparen(e).(type) {
		case *ast.StarExpr:
			if !primary(u.X) {
				return
			}
			c.edits = []edit{{end, end, ".Std()"}}
		case *ast.CompositeLit:
			c.edits = []edit{{start, start, "*(&"}, {end, end, ").Std()"}}
		case *ast.Ident, *ast.SelectorExpr, *ast.IndexExpr:
			if !x.info.Types[e].Addressable() {
				return
			}
			c.edits = []edit{{start, start, "*"}, {end, end, ".Std()"}}
		default:
			return
		}
	case wrapFuncs:
		if !x.wrap(c, e, from.Underlying().(*types.Signature), to) {
			return
		}
	default:
		return
	}
	x.changes = append(x.changes, *c)
}

// undoes reports whether e is the conversion that how would take back: another
// configuration needed it.
func (x *crosser) undoes(e ast.Expr, how conversion) bool {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok || x.mixed {
		return false
	}
	fn, ok := callee(x.info, call).(*types.Func)
	return ok && fn.Pkg() != nil && fn.Pkg().Path() == Xexec &&
		(how == ptrFrom && fn.Name() == "Std" || how == ptrToStd && fn.Name() == "FromStd")
}

// primary reports whether a selector can follow e.
func primary(e ast.Expr) bool {
	switch e.(type) {
	case *ast.Ident, *ast.SelectorExpr, *ast.CallExpr, *ast.IndexExpr, *ast.ParenExpr, *ast.TypeAssertExpr:
		return true
	}
	return false
}

// newline returns a line break, and the indentation of the line that n is on.
func (x *crosser) newline(n ast.Node) string {
	start, _, _ := lineOf(x.draft.text, x.off(n.Pos()), x.off(n.Pos()))
	line := x.draft.text[start:]
	return "\n" + string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

func (x *crosser) off(p token.Pos) int { return x.world.fset.Position(p).Offset }
func (x *crosser) textOf(n ast.Node) string {
	return string(x.draft.text[x.off(n.Pos()):x.off(n.End())])
}

// qualify returns the prefix by which the file names what is in package path,
// such as "exec.". If it cannot name it yet, c imports it.
func (x *crosser) qualify(c *change, path string, pos token.Pos) string {
	for _, spec := range x.file.Imports {
		if specPath(spec) != path {
			continue
		}
		obj, _ := x.info.Implicits[spec].(*types.PkgName)
		if spec.Name != nil {
			if spec.Name.Name == "." {
				return ""
			}
			obj, _ = x.info.Defs[spec.Name].(*types.PkgName)
		}
		if obj == nil {
			continue
		}
		if scope := x.types.Scope().Innermost(pos); scope != nil {
			if _, found := scope.LookupParent(obj.Name(), pos); found == obj {
				return obj.Name() + "."
			}
		}
	}
	var names []string
	switch path {
	case Std:
		names = []string{"osexec", "stdexec"}
	case Xexec:
		names = []string{"exec", "xexec"}
	default:
		if i := slices.IndexFunc(x.world.all, func(p *packages.Package) bool { return p.PkgPath == path }); i >= 0 {
			names = []string{x.world.all[i].Name}
		} else {
			names = []string{"pkg"}
		}
	}
	name := x.fresh(names...)
	if c.imports == nil {
		c.imports = make(map[string]string)
	}
	c.imports[path] = name
	return name + "."
}

// renameImport returns the change that gives xexec's import another name than one
// that speaks of os/exec.
func (x *crosser) renameImport() []change {
	for _, spec := range x.file.Imports {
		if x.mixed || spec.Name == nil || specPath(spec) != Xexec || !speaksOfStd[spec.Name.Name] {
			continue
		}
		c := change{decl: true}
		name := x.fresh("exec", "xexec")
		obj := x.info.Defs[spec.Name]
		ast.Inspect(x.file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && obj != nil && (x.info.Uses[id] == obj || id == spec.Name) {
				c.edits = append(c.edits, edit{x.off(id.Pos()), x.off(id.End()), name})
			}
			return true
		})
		if len(c.edits) > 0 {
			return []change{c}
		}
	}
	return nil
}

var speaksOfStd = map[string]bool{"osexec": true, "os_exec": true, "osExec": true, "stdexec": true, "stdExec": true, "goexec": true}

// tidyImports returns the change that takes xexec's import back where all that the
// file has is pinned.
func (x *crosser) tidyImports() []change {
	for _, spec := range x.file.Imports {
		obj := x.info.Implicits[spec]
		if spec.Name != nil {
			obj = x.info.Defs[spec.Name]
		}
		if specPath(spec) != Xexec || obj == nil || obj.Name() == "_" || obj.Name() == "." {
			continue
		}
		for _, used := range x.info.Uses {
			if used == obj {
				return nil
			}
		}
		return mergeImports(x.checked, x.file, x.draft)
	}
	return nil
}

// fresh returns the first of names that nothing in the file or at package level
// is called, or one made from the last.
func (x *crosser) fresh(names ...string) string {
	usedNames := make(map[string]bool)
	ast.Inspect(x.file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			usedNames[id.Name] = true
		}
		return true
	})
	for _, spec := range x.file.Imports {
		if obj, ok := x.info.Implicits[spec].(*types.PkgName); ok {
			usedNames[obj.Name()] = true
		}
	}
	free := func(name string) bool {
		return !usedNames[name] && x.types.Scope().Lookup(name) == nil && types.Universe.Lookup(name) == nil
	}
	for _, name := range names {
		if free(name) {
			return name
		}
	}
	last := names[len(names)-1]
	for i := 2; ; i++ {
		if name := last + strconv.Itoa(i); free(name) {
			return name
		}
	}
}

// stdName returns a new name for the os/exec side of the variable name.
func (x *crosser) stdName(name string) string {
	return x.fresh(stdOf(name))
}

func stdOf(name string) string {
	r, n := utf8.DecodeRuneInString(name)
	return "std" + string(unicode.ToUpper(r)) + name[n:]
}

func (x *crosser) convertText(c *change, text string, how conversion, pos token.Pos) string {
	switch how {
	case ptrToStd:
		return text + ".Std()"
	case ptrFrom:
		return x.qualify(c, Xexec, pos) + "FromStd(" + text + ")"
	case valFrom:
		return x.qualify(c, Xexec, pos) + "Cmd(" + text + ")"
	}
	return text
}
