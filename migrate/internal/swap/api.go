package swap

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
)

//go:embed api.txt
var apiSource string

// declareAPI type-checks the API of xexec on top of the os/exec that a program
// was loaded with, so that a module can be checked against xexec before it
// requires it.
func declareAPI(fset *token.FileSet, std *types.Package) (*types.Package, error) {
	f, err := parser.ParseFile(fset, "xexec/api.txt", apiSource, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	conf := types.Config{Importer: importerFunc(func(path string) (*types.Package, error) {
		if path == Std {
			return std, nil
		}
		for _, p := range std.Imports() {
			if p.Path() == path {
				return p, nil
			}
		}
		return nil, fmt.Errorf("os/exec does not import %s", path)
	})}
	return conf.Check(Xexec, fset, []*ast.File{f}, nil)
}

type importerFunc func(path string) (*types.Package, error)

func (f importerFunc) Import(path string) (*types.Package, error) { return f(path) }
