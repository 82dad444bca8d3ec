package swap

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// A world is the module and what it depends on under one configuration.
type world struct {
	config  config
	fset    *token.FileSet
	targets []*target           // what is checked anew for every rewriting, dependencies first
	all     []*packages.Package // everything
	std     *types.Package      // os/exec
	ext     *types.Package      // xexec: the package itself or its declared API
}

// A target is a package, or a test variant of it, that may change.
type target struct {
	*packages.Package
	unit  string // its directory
	local bool   // of the module, so it may be edited
	files []string
	cgo   bool

	loadErrs []types.Error // packages it needs and that cannot be loaded
	missing  string        // the module of the first of them, or its path
	imports  string        // its path
	why      string        // what the go command says of it
}

const loadMode = packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
	packages.NeedDeps | packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo |
	packages.NeedTypesSizes | packages.NeedModule | packages.NeedForTest

// load loads the packages in dirs. The result has no targets if none of them
// has to do with os/exec under this configuration.
func load(m *module, c config, dirs map[string]bool) (*world, error) {
	w := &world{config: c, fset: token.NewFileSet()}
	var patterns []string
	for dir := range dirs {
		rel, err := filepath.Rel(m.dir, dir)
		if err != nil {
			return nil, err
		}
		patterns = append(patterns, "./"+filepath.ToSlash(rel))
	}
	slices.Sort(patterns)
	cfg := &packages.Config{
		Mode:      loadMode,
		Dir:       m.dir,
		Env:       c.env(),
		Fset:      w.fset,
		Tests:     true,
		ParseFile: parseWithoutBodies,
	}
	if len(c.tags) > 0 {
		cfg.BuildFlags = []string{"-tags=" + strings.Join(c.tags, ",")}
	}
	if m.spare != "" {
		cfg.BuildFlags = append(cfg.BuildFlags, "-mod=mod", "-modfile="+m.spare)
		cfg.Env = append(cfg.Env, "GOWORK=off")
	}
	roots, err := packages.Load(cfg, patterns...)
	if err != nil && m.spare == "" && strings.Contains(err.Error(), "updates to go.mod needed") {
		if err := m.makeSpare(); err != nil {
			return nil, err
		}
		return load(m, c, dirs)
	}
	if err != nil {
		return nil, fmt.Errorf("loading %s for %s: %w", m.path, c, err)
	}

	isTarget := make(map[*packages.Package]bool)
	packages.Visit(roots, nil, func(p *packages.Package) {
		if p.Types != nil {
			w.all = append(w.all, p)
		}
		switch p.PkgPath {
		case Std:
			w.std = p.Types
			return
		case Xexec:
			w.ext = p.Types
			return
		}
		if strings.HasSuffix(p.ID, ".test") || len(p.GoFiles) == 0 {
			return
		}
		t := &target{Package: p, unit: filepath.Dir(p.GoFiles[0])}
		t.local = dirs[t.unit]
		if !t.local && !slices.ContainsFunc(mapValues(p.Imports), func(q *packages.Package) bool { return isTarget[q] }) {
			return
		}
		for _, e := range p.Errors {
			if e.Kind == packages.ListError && e.Pos != "" && e.Pos != "-" { // an import, not a linker's wish
				t.loadErrs = append(t.loadErrs, types.Error{Fset: w.fset, Msg: e.Error()})
			}
		}
		for _, path := range slices.Sorted(maps.Keys(p.Imports)) {
			if q := p.Imports[path]; t.missing == "" && len(q.Errors) > 0 && len(q.GoFiles) == 0 && path != "C" {
				t.missing = m.dependency(path)
				t.imports = path
				t.why = brief(q.Errors[0].Msg)
			}
		}
		isTarget[p] = true
		t.files = p.GoFiles
		for _, f := range p.CompiledGoFiles {
			t.cgo = t.cgo || !slices.Contains(p.GoFiles, f)
		}
		w.targets = append(w.targets, t)
	})
	if w.std == nil {
		w.targets = nil
		return w, unloaded(roots)
	}
	if w.ext == nil {
		if w.ext, err = declareAPI(w.fset, w.std); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// unloaded returns why xexec cannot be loaded, which is why no package was seen to use
// os/exec, or nil if none uses it.
func unloaded(roots []*packages.Package) (err error) {
	packages.Visit(roots, nil, func(p *packages.Package) {
		if p.PkgPath != Xexec || err != nil {
			return
		}
		first := ""
		packages.Visit([]*packages.Package{p}, nil, func(q *packages.Package) {
			if first == "" && len(q.Errors) > 0 {
				first = brief(q.Errors[0].Msg)
			}
		})
		err = fmt.Errorf("%s cannot be loaded; go mod tidy may help: %s", Xexec, first)
	})
	return err
}

// brief returns what the go command says without its advice.
func brief(msg string) string {
	for _, end := range []string{"\n", "; to add", " (imported by "} {
		msg, _, _ = strings.Cut(msg, end)
	}
	return msg
}

func mapValues[K comparable, V any](m map[K]V) []V {
	var vs []V
	for _, v := range m {
		vs = append(vs, v)
	}
	return vs
}

// parseWithoutBodies parses a file for its declarations. Only files that import
// os/exec keep their function bodies, for what silent.go wants to know of them:
// the bodies of the module's own packages are parsed again for every check.
func parseWithoutBodies(fset *token.FileSet, name string, src []byte) (*ast.File, error) {
	f, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if f == nil || bytes.Contains(src, []byte(`"`+Std+`"`)) {
		return f, err
	}
	for _, d := range f.Decls {
		if fd, ok := d.(*ast.FuncDecl); ok && fd.Body != nil {
			fd.Body = &ast.BlockStmt{Lbrace: fd.Body.Lbrace, Rbrace: fd.Body.Rbrace}
		}
	}
	return f, err
}

// A checked is a target after a type check of some version of its files.
type checked struct {
	*target
	world  *world
	syntax []*ast.File // parallel to files
	info   *types.Info
	types  *types.Package
	errs   []types.Error
}

// check type-checks all targets with their files' contents taken from text.
func (w *world) check(text func(string) []byte, raiseGo bool) []*checked {
	var out []*checked
	done := make(map[*packages.Package]*types.Package)
	for _, t := range w.targets {
		c := &checked{target: t, world: w, errs: slices.Clone(t.loadErrs)}
		for _, name := range t.files {
			f, err := parser.ParseFile(w.fset, name, text(name), parser.ParseComments|parser.SkipObjectResolution)
			if f == nil {
				f = &ast.File{Name: ast.NewIdent(t.Name)}
			}
			if err != nil {
				c.errs = append(c.errs, types.Error{Fset: w.fset, Pos: f.Package, Msg: err.Error()})
			}
			c.syntax = append(c.syntax, f)
		}
		c.info = &types.Info{
			Types:      make(map[ast.Expr]types.TypeAndValue),
			Instances:  make(map[*ast.Ident]types.Instance),
			Defs:       make(map[*ast.Ident]types.Object),
			Uses:       make(map[*ast.Ident]types.Object),
			Implicits:  make(map[ast.Node]types.Object),
			Selections: make(map[*ast.SelectorExpr]*types.Selection),
			Scopes:     make(map[ast.Node]*types.Scope),
		}
		conf := types.Config{
			Importer:    w.importer(t, done),
			FakeImportC: t.cgo,
			Sizes:       t.TypesSizes,
			Error: func(err error) {
				if e, ok := err.(types.Error); ok {
					c.errs = append(c.errs, e)
				}
			},
		}
		if t.Module != nil && t.Module.GoVersion != "" {
			conf.GoVersion = "go" + t.Module.GoVersion
			if raiseGo && t.local {
				conf.GoVersion = "go" + maxGo(t.Module.GoVersion, minGo)
			}
		}
		c.types, _ = conf.Check(t.PkgPath, w.fset, c.syntax, c.info)
		done[t.Package] = c.types
		out = append(out, c)
	}
	return out
}

func (w *world) importer(t *target, done map[*packages.Package]*types.Package) types.Importer {
	return importerFunc(func(path string) (*types.Package, error) {
		switch path {
		case "unsafe":
			return types.Unsafe, nil
		case Std:
			return w.std, nil
		case Xexec:
			return w.ext, nil
		}
		p := t.Imports[path]
		if p == nil {
			// An import that a conversion added: some other package's.
			for _, q := range w.all {
				if q.PkgPath == path && q.ForTest == "" {
					p = q
					break
				}
			}
		}
		if p == nil {
			return nil, fmt.Errorf("package %s was not loaded", path)
		}
		if tp := done[p]; tp != nil {
			return tp, nil
		}
		if p.Types == nil {
			return nil, fmt.Errorf("package %s has no types", path)
		}
		return p.Types, nil
	})
}
