package xexec_test

import (
	"errors"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
)

// The two conversions, and the aliases: none of it would compile otherwise.
var (
	_ *exec.Cmd        = (*exec.Cmd)((*xexec.Cmd)(nil))
	_ *exec.Error      = (*xexec.Error)(nil)
	_ *exec.ExitError  = (*xexec.ExitError)(nil)
	_ error            = (*xexec.ExitError)(nil)
	_ **exec.Error     = (**xexec.Error)(nil)
	_ **exec.ExitError = (**xexec.ExitError)(nil)
)

func TestErrorValuesAreThoseOfOsExec(t *testing.T) {
	for _, e := range []struct {
		name   string
		std, x error
	}{
		{"ErrDot", exec.ErrDot, xexec.ErrDot},
		{"ErrNotFound", exec.ErrNotFound, xexec.ErrNotFound},
		{"ErrWaitDelay", exec.ErrWaitDelay, xexec.ErrWaitDelay},
	} {
		if e.std != e.x {
			t.Errorf("%s is another value: %v, %v", e.name, e.std, e.x)
		}
	}
	_, err := xexec.LookPath("no-such-program-anywhere")
	if e, ok := err.(*exec.Error); !ok || !errors.Is(err, exec.ErrNotFound) || e.Name != "no-such-program-anywhere" {
		t.Errorf("LookPath: %T %v", err, err)
	}
}

// The type is defined by os/exec's struct, so that every field is there in
// every release, with its name, type, tag and offset, and the conversion of a
// pointer is valid.
func TestCmdIsOsExecsStruct(t *testing.T) {
	std, x := reflect.TypeFor[exec.Cmd](), reflect.TypeFor[xexec.Cmd]()
	if x == std {
		t.Fatal("Cmd is an alias, and cannot have methods of its own")
	}
	if x.Kind() != reflect.Struct || !x.ConvertibleTo(std) || !reflect.PointerTo(x).ConvertibleTo(reflect.PointerTo(std)) {
		t.Fatalf("%v does not convert to %v", x, std)
	}
	if x.NumField() != std.NumField() {
		t.Fatalf("%d fields, os/exec has %d", x.NumField(), std.NumField())
	}
	for i := range std.NumField() {
		if s, x := std.Field(i), x.Field(i); !reflect.DeepEqual(s, x) {
			t.Errorf("field %+v, os/exec has %+v", x, s)
		}
	}
}

func TestEveryMethodOfCmdHasItsTwin(t *testing.T) {
	for _, types := range [][2]reflect.Type{
		{reflect.TypeFor[*exec.Cmd](), reflect.TypeFor[*xexec.Cmd]()},
		{reflect.TypeFor[exec.Cmd](), reflect.TypeFor[xexec.Cmd]()},
	} {
		std, x := types[0], types[1]
		for i := range std.NumMethod() {
			want := std.Method(i)
			got, ok := x.MethodByName(want.Name)
			if !ok {
				t.Errorf("%v has no method %s", x, want.Name)
				continue
			}
			if g, w := testkit.Signature(got.Type), testkit.Signature(want.Type); !reflect.DeepEqual(g, w) {
				t.Errorf("%v.%s: %v, os/exec has %v", x, want.Name, got.Type, want.Type)
			}
		}
	}
}

// Reflection does not see what a package exports. The type checker does, from
// the sources of the toolchain that the test is built with, so that a new name
// in a new release of Go fails this test.
func TestEveryExportedNameHasItsTwin(t *testing.T) {
	std, x := checkPackages(t)
	for _, name := range std.Scope().Names() {
		want := std.Scope().Lookup(name)
		if !want.Exported() {
			continue
		}
		got := x.Scope().Lookup(name)
		if got == nil {
			t.Errorf("no %s", types.ObjectString(want, nil))
			continue
		}
		if g, w := reflect.TypeOf(got), reflect.TypeOf(want); g != w {
			t.Errorf("%s is a %v, in os/exec a %v", name, g, w)
			continue
		}
		if name == "Cmd" {
			compareCmd(t, got, want)
		} else if g, w := typeText(got.Type()), typeText(want.Type()); g != w {
			t.Errorf("%s: %s, in os/exec %s", name, g, w)
		}
	}
}

func compareCmd(t *testing.T, got, want types.Object) {
	if !types.Identical(got.Type().Underlying(), want.Type().Underlying()) {
		t.Errorf("Cmd is %s", got.Type().Underlying())
	}
	std := types.NewMethodSet(types.NewPointer(want.Type()))
	x := types.NewMethodSet(types.NewPointer(got.Type()))
	for sel := range std.Methods() {
		name := sel.Obj().Name()
		if !sel.Obj().Exported() {
			continue
		}
		twin := x.Lookup(got.Pkg(), name)
		if twin == nil {
			t.Errorf("Cmd has no method %s", name)
		} else if g, w := typeText(twin.Type()), typeText(sel.Type()); g != w {
			t.Errorf("Cmd.%s: %s, in os/exec %s", name, g, w)
		}
	}
}

// typeText writes a type in such a way that a Cmd is the same in both packages.
// Anything else must be os/exec's own.
func typeText(t types.Type) string {
	return strings.ReplaceAll(types.TypeString(types.Unalias(t), nil), "example.com/xexec.Cmd", "os/exec.Cmd")
}

// checkPackages type-checks os/exec and this package from their sources.
func checkPackages(t *testing.T) (std, x *types.Package) {
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "source", nil)
	std, err := imports.Import("os/exec")
	if err != nil {
		t.Skipf("no sources of os/exec: %v", err)
	}
	bp, err := build.ImportDir(".", 0)
	if err != nil {
		t.Skipf("no sources of this package: %v", err)
	}
	var files []*ast.File
	for _, name := range append(bp.GoFiles, bp.CgoFiles...) {
		f, err := parser.ParseFile(fset, filepath.Join(bp.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	// Imports from other modules may be out of reach here, and take no part
	// in what os/exec exports: their errors leave a hole, and do no harm.
	config := types.Config{Importer: imports, IgnoreFuncBodies: true, Error: func(error) {}}
	x, _ = config.Check("example.com/xexec", fset, files, nil)
	return std, x
}
