package swap

import (
	"go/token"
	"go/types"
	"testing"

	_ "example.com/xexec"
	"golang.org/x/tools/go/packages"
)

// The declared API is what xexec has, name by name and type by type.
func TestAPIIsXexecs(t *testing.T) {
	fset := token.NewFileSet()
	pkgs, err := packages.Load(&packages.Config{Mode: packages.NeedTypes | packages.NeedImports | packages.NeedDeps | packages.NeedSyntax | packages.NeedName, Fset: fset}, Xexec)
	if err != nil {
		t.Fatal(err)
	}
	if packages.PrintErrors(pkgs) > 0 {
		t.Fatal("xexec does not load")
	}
	real := pkgs[0].Types
	declared, err := declareAPI(fset, pkgs[0].Imports[Std].Types)
	if err != nil {
		t.Fatal(err)
	}
	got, want := exported(declared), exported(real)
	for name, typ := range want {
		if got[name] != typ {
			t.Errorf("api.txt: %s is %q, in xexec %q", name, got[name], typ)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("api.txt: xexec has no %s", name)
		}
	}
}

// exported maps the exported names of a package, and its Cmd's methods, to their
// types without parameter names.
func exported(p *types.Package) map[string]string {
	names := make(map[string]string)
	for _, name := range p.Scope().Names() {
		if obj := p.Scope().Lookup(name); obj.Exported() {
			names[name] = unnamed(obj.Type())
		}
	}
	methods := types.NewMethodSet(types.NewPointer(p.Scope().Lookup("Cmd").Type()))
	for i := range methods.Len() {
		if obj := methods.At(i).Obj(); obj.Exported() {
			names["Cmd."+obj.Name()] = unnamed(obj.Type())
		}
	}
	return names
}

func unnamed(t types.Type) string {
	sig, ok := t.(*types.Signature)
	if !ok {
		return t.String()
	}
	return types.NewSignatureType(nil, nil, nil, strip0(sig.Params()), strip0(sig.Results()), sig.Variadic()).String()
}

func strip0(t *types.Tuple) *types.Tuple {
	var vars []*types.Var
	for v := range t.Variables() {
		vars = append(vars, types.NewParam(token.NoPos, nil, "", v.Type()))
	}
	return types.NewTuple(vars...)
}
