// Package stdsuite runs os/exec's own tests against a package that replaces it.
//
// The tests are those of the toolchain that runs it: they are copied from its
// GOROOT to a temporary module, with the import of os/exec rewritten, and joined
// with the replacement in a temporary workspace, so that both are built as their
// users build them.
package stdsuite

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	module = "stdsuite.invalid/suite"
	bridge = "stdsuitebridge" // stands for internal in an import path
)

// A Suite is os/exec's tests, rewritten.
type Suite struct {
	Unusable map[string]string // top-level tests that need what is not exported: the file

	tmp, dir  string // dir has the rewritten tests
	importing string // instead of os/exec
	goroot    string
	env       []string
	bridged   map[string]map[string]bool // internal packages: the names used
	copied    map[string]bool            // internal packages that use os/exec
}

// listing is what go list says of a package.
type listing struct {
	Dir, Name                                          string
	GoFiles, TestGoFiles, XTestGoFiles, IgnoredGoFiles []string
	CgoFiles, SFiles, EmbedFiles, Deps                 []string
}

// Prepare writes to tmp, an empty directory, what the tests need to run against
// the package of the given import path, in the module at root.
func Prepare(tmp, root, importPath string) (*Suite, error) {
	s := &Suite{
		Unusable:  make(map[string]string),
		tmp:       tmp,
		dir:       filepath.Join(tmp, "suite", "os", "exec"),
		importing: importPath,
		bridged:   make(map[string]map[string]bool),
		copied:    make(map[string]bool),
	}
	keepOwn()
	var env struct{ GOROOT, GOVERSION string }
	out, err := s.goCommand("env", "-json", "GOROOT", "GOVERSION")
	if err == nil {
		err = json.Unmarshal(out, &env)
	}
	if err != nil {
		return nil, err
	}
	s.goroot = env.GOROOT
	version, _, _ := strings.Cut(strings.TrimPrefix(env.GOVERSION, "go"), "-")
	if err := os.MkdirAll(s.dir, 0o777); err != nil {
		return nil, err
	}
	overlay := filepath.Join(tmp, "overlay.json")
	work := filepath.Join(tmp, "go.work")
	for name, text := range map[string]string{
		filepath.Join(tmp, "suite", "go.mod"): fmt.Sprintf("module %s\n\ngo %s\n", module, version),
		work:                                  fmt.Sprintf("go %s\n\nuse (\n\t./suite\n\t%q\n)\n", version, root),
	} {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			return nil, err
		}
	}
	pkg, err := s.list("os/exec")
	if err != nil {
		return nil, err
	}
	for _, name := range pkg.XTestGoFiles {
		if err := s.rewrite(pkg, name, s.dir, importPath, false); err != nil {
			return nil, err
		}
	}
	if err := s.internalTests(pkg); err != nil {
		return nil, err
	}
	for _, name := range pkg.IgnoredGoFiles {
		// A program that a test builds (read3.go). It looks at what it has
		// inherited, with os/exec.
		if text, err := os.ReadFile(filepath.Join(pkg.Dir, name)); err == nil && strings.Contains(string(text), "\npackage main\n") {
			if err := s.rewrite(pkg, name, s.dir, "os/exec", false); err != nil {
				return nil, err
			}
		}
	}
	if data := filepath.Join(pkg.Dir, "testdata"); isDir(data) {
		if err := os.CopyFS(filepath.Join(s.dir, "testdata"), os.DirFS(data)); err != nil {
			return nil, err
		}
	}
	s.env = []string{"GOWORK=" + work, "GOFLAGS=-buildvcs=false '-overlay=" + overlay + "'"}
	return s, s.writeOverlay(overlay)
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func (s *Suite) list(pkg string) (*listing, error) {
	out, err := s.goCommand("list", "-json", pkg)
	if err != nil {
		return nil, err
	}
	var l listing
	return &l, json.Unmarshal(out, &l)
}

// rewrite copies a file, with other imports. All stays in its line, so that what
// the tests say of their lines is right. An internal test becomes external.
func (s *Suite) rewrite(pkg *listing, name, dir, osExec string, internal bool) error {
	src, err := os.ReadFile(filepath.Join(pkg.Dir, name))
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, 0)
	if err != nil {
		return err
	}
	text := string(src)
	replace := func(n ast.Node, by string) {
		text = text[:fset.Position(n.Pos()).Offset] + by + text[fset.Position(n.End()).Offset:]
	}
	for _, spec := range slices.Backward(f.Imports) { // the last first, so that offsets stay
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		to := path
		if path == "os/exec" {
			to = osExec
		} else if slices.Contains(strings.Split(path, "/"), "internal") {
			if to, err = s.reach(path, f, spec); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if to != path {
			by := strconv.Quote(to)
			if spec.Name == nil {
				by = base(path) + " " + by
			}
			replace(spec.Path, by)
		}
	}
	if internal {
		replace(f.Name, "exec_test; import . "+strconv.Quote(osExec))
	}
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666)
}

func base(importPath string) string { return path.Base(importPath) }

// reach returns the path under which the tests can import an internal package. A
// package that uses os/exec itself (internal/testenv) is copied and rewritten as
// the tests are. Of any other, the names that they use are exported again by a
// package that exists only in an overlay: it is inside of GOROOT, and may import
// what is internal, and is not internal itself.
func (s *Suite) reach(path string, f *ast.File, spec *ast.ImportSpec) (string, error) {
	elems := strings.Split(path, "/")
	elems[slices.Index(elems, "internal")] = bridge
	to := strings.Join(elems, "/")
	if s.copied[path] {
		return module + "/" + to, nil
	}
	if s.bridged[path] == nil {
		pkg, err := s.list(path)
		if err != nil {
			return "", err
		}
		if slices.Contains(pkg.Deps, "os/exec") {
			if len(pkg.CgoFiles)+len(pkg.SFiles)+len(pkg.EmbedFiles) > 0 {
				return "", fmt.Errorf("cannot copy %s: it is not all Go", path)
			}
			s.copied[path] = true
			dir := filepath.Join(s.tmp, "suite", filepath.FromSlash(to))
			if err := os.MkdirAll(dir, 0o777); err != nil {
				return "", err
			}
			for _, name := range pkg.GoFiles {
				if err := s.rewrite(pkg, name, dir, s.importing, false); err != nil {
					return "", err
				}
			}
			return module + "/" + to, nil
		}
		s.bridged[path] = make(map[string]bool)
	}
	local := base(path)
	if spec.Name != nil {
		local = spec.Name.Name
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == local && id.Obj == nil {
				s.bridged[path][sel.Sel.Name] = true
			}
		}
		return true
	})
	return to, nil
}

// writeOverlay writes the packages that export internal names again.
func (s *Suite) writeOverlay(file string) error {
	replace := make(map[string]string)
	for path, names := range s.bridged {
		pkg, err := s.list(path)
		if err != nil {
			return err
		}
		kinds, _, err := declared(pkg.Dir, pkg.GoFiles)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("package %s\n\nimport p %q\n\n", pkg.Name, path)
		for name := range names {
			kind := kinds[name]
			if kind == "func" {
				kind = "var"
			}
			text += fmt.Sprintf("%s %s = p.%s\n", kind, name, name)
		}
		source := filepath.Join(s.tmp, fmt.Sprintf("bridge%d.go.txt", len(replace)))
		if err := os.WriteFile(source, []byte(text), 0o666); err != nil {
			return err
		}
		elems := strings.Split(path, "/")
		elems[slices.Index(elems, "internal")] = bridge
		replace[filepath.Join(s.goroot, "src", filepath.Join(elems...), "bridge.go")] = source
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o666)
}

// declared returns the package-level names that files declare, with their kinds,
// and the names of fields and methods.
func declared(dir string, files []string) (kinds map[string]string, members map[string]bool, err error) {
	kinds, members = make(map[string]string), make(map[string]bool)
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, 0)
		if err != nil {
			return nil, nil, err
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					kinds[d.Name.Name] = "func"
				} else {
					members[d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						kinds[spec.Name.Name] = "type"
					case *ast.ValueSpec:
						for _, id := range spec.Names {
							kinds[id.Name] = d.Tok.String()
						}
					}
				}
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if st, ok := n.(*ast.StructType); ok {
				for _, field := range st.Fields.List {
					for _, id := range field.Names {
						members[id.Name] = true
					}
				}
			}
			return true
		})
	}
	return kinds, members, nil
}

// internalTests rewrites the files of package exec that use what it exports
// alone, and notes the tests of the others.
func (s *Suite) internalTests(pkg *listing) error {
	kinds, members, err := declared(pkg.Dir, pkg.GoFiles)
	if err != nil {
		return err
	}
	for _, name := range pkg.TestGoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(pkg.Dir, name), nil, 0)
		if err != nil {
			return err
		}
		usable := true
		for _, id := range f.Unresolved {
			usable = usable && (kinds[id.Name] == "" || id.IsExported())
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && members[sel.Sel.Name] && !sel.Sel.IsExported() {
				usable = false
			}
			return true
		})
		if usable {
			if err := s.rewrite(pkg, name, s.dir, s.importing, true); err != nil {
				return err
			}
			continue
		}
		own, _, err := declared(pkg.Dir, []string{name})
		if err != nil {
			return err
		}
		for id, kind := range own {
			if kind == "func" && strings.HasPrefix(id, "Test") {
				s.Unusable[id] = name
			}
		}
	}
	return nil
}
