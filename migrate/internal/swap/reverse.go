package swap

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
)

// strip takes the bridges to os/exec out of a file, for the way back: Std and
// FromStd, the type's name in mocks, and the second import.
func strip(c *checked, f *ast.File) []change {
	var changes []change
	for _, n := range nameStrings(c, f, "xexec") {
		if n.mock {
			changes = append(changes, n.renamed(c, "xexec", "exec"))
		}
	}
	off := func(p token.Pos) int { return c.world.fset.Position(p).Offset }
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		fn, ok := callee(c.info, call).(*types.Func)
		if !ok || fn.Pkg() == nil || fn.Pkg().Path() != Xexec {
			return true
		}
		switch sel, _ := ast.Unparen(call.Fun).(*ast.SelectorExpr); {
		case fn.Name() == "Std" && sel != nil && len(call.Args) == 0:
			changes = append(changes, change{edits: []edit{{off(sel.X.End()), off(call.End()), ""}}})
		case fn.Name() == "FromStd" && len(call.Args) == 1:
			if arg := call.Args[0]; primary(arg) {
				changes = append(changes, change{edits: []edit{{off(call.Pos()), off(arg.Pos()), ""}, {off(arg.End()), off(call.End()), ""}}})
			} else {
				changes = append(changes, change{edits: []edit{{off(call.Fun.Pos()), off(call.Fun.End()), ""}}})
			}
		}
		return true
	})
	if len(changes) > 0 {
		return changes
	}
	return mergeImports(c, f, off)
}

// mergeImports makes a file that imports both packages use xexec's name for
// both, and drops the other import: what is left of it is the type's name.
func mergeImports(c *checked, f *ast.File, off func(token.Pos) int) []change {
	names := make(map[string]*types.PkgName)
	specs := make(map[string]*ast.ImportSpec)
	for _, spec := range f.Imports {
		path := specPath(spec)
		obj, _ := c.info.Implicits[spec].(*types.PkgName)
		if spec.Name != nil {
			obj, _ = c.info.Defs[spec.Name].(*types.PkgName)
		}
		if obj != nil && (path == Std || path == Xexec) {
			names[path], specs[path] = obj, spec
		}
	}
	std, ext := names[Std], names[Xexec]
	if std == nil || ext == nil {
		return nil
	}
	var ch change
	ast.Inspect(f, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && c.info.Uses[id] == std {
			ch.edits = append(ch.edits, edit{off(id.Pos()), off(id.End()), ext.Name()})
		}
		return true
	})
	ch.edits = append(ch.edits, edit{off(specs[Std].Pos()), off(specs[Std].End()), ""})
	return []change{ch}
}

func parseImports(fset *token.FileSet, name string, src []byte) *ast.File {
	f, err := parser.ParseFile(fset, name, src, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return nil
	}
	return f
}
