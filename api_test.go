package xexec_test

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// api.txt lists what this package exports, a line for each name, as Go's api/*.txt
// do. It is the same on every system. What an exported name promises is frozen: this
// test fails when the package and the list differ, so that nothing changes unseen.
func TestAPIIsThatOfTheList(t *testing.T) {
	b, err := os.ReadFile("api.txt")
	if err != nil {
		t.Skip("the list is not here:", err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			listed[line] = true
		}
	}
	for _, system := range systems {
		exported := exportedNames(t, system)
		for _, line := range slices.Sorted(maps.Keys(exported)) {
			if !listed[line] {
				t.Errorf("%s: not in api.txt: %s", system, line)
			}
		}
		for _, line := range slices.Sorted(maps.Keys(listed)) {
			if !exported[line] {
				t.Errorf("%s: only in api.txt: %s", system, line)
			}
		}
	}
}

// exportedNames returns what the sources for a system export, as lines of api.txt.
func exportedNames(t *testing.T, system string) map[string]bool {
	context := build.Default
	context.GOOS, context.GOARCH, context.CgoEnabled = system, "amd64", false
	pkg, err := context.ImportDir(".", 0)
	if err != nil {
		t.Skip("the source is not here:", err)
	}
	lines := map[string]bool{}
	add := func(format string, args ...any) { lines["pkg xexec, "+fmt.Sprintf(format, args...)] = true }
	for _, name := range pkg.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(pkg.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				addFunc(add, decl)
			case *ast.GenDecl:
				addGroup(add, decl)
			}
		}
	}
	return lines
}

func addFunc(add func(string, ...any), decl *ast.FuncDecl) {
	signature := strings.TrimPrefix(types.ExprString(unnamed(decl.Type)), "func")
	switch {
	case !decl.Name.IsExported():
	case decl.Recv == nil:
		add("func %s%s", decl.Name, signature)
	default:
		receiver := types.ExprString(decl.Recv.List[0].Type)
		if token.IsExported(strings.TrimPrefix(receiver, "*")) {
			add("method (%s) %s%s", receiver, decl.Name, signature)
		}
	}
}

// unnamed returns f without the names of its parameters and results.
func unnamed(f *ast.FuncType) *ast.FuncType {
	types := func(list *ast.FieldList) *ast.FieldList {
		bare := new(ast.FieldList)
		if list != nil {
			for _, field := range list.List {
				for range max(1, len(field.Names)) {
					bare.List = append(bare.List, &ast.Field{Type: field.Type})
				}
			}
		}
		return bare
	}
	return &ast.FuncType{Params: types(f.Params), Results: types(f.Results)}
}

// addGroup adds what a const, var or type declaration exports. Of a variable without
// a type, the value is listed: it is another package's.
func addGroup(add func(string, ...any), group *ast.GenDecl) {
	var constants *ast.ValueSpec // whose type and value go on
	for i, spec := range group.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			equals := ""
			if spec.Assign.IsValid() {
				equals = "= "
			}
			if spec.Name.IsExported() {
				add("type %s %s%s", spec.Name, equals, types.ExprString(spec.Type))
			}
		case *ast.ValueSpec:
			if constants == nil || spec.Values != nil {
				constants = spec
			}
			for j, name := range spec.Names {
				switch {
				case !name.IsExported():
				case group.Tok == token.CONST:
					value := types.ExprString(constants.Values[j])
					if value == "iota" {
						value = fmt.Sprint(i)
					}
					add("const %s %s", name, types.ExprString(constants.Type))
					add("const %s = %s", name, value)
				case spec.Type != nil:
					add("var %s %s", name, types.ExprString(spec.Type))
				default:
					add("var %s = %s", name, types.ExprString(spec.Values[j]))
				}
			}
		}
	}
}
