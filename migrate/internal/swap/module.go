package swap

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"
)

// A module is the Go module around a directory, and its Go files.
type module struct {
	dir   string // absolute
	path  string
	mod   *modfile.File
	gomod []byte
	files []*srcFile
	spare string // a copy of go.mod that the go command may update, or ""
}

// makeSpare copies go.mod and go.sum to where the go command may bring them up to
// date: right after a move they can lack what "go mod tidy" would add.
func (m *module) makeSpare() error {
	dir, err := os.MkdirTemp("", "xexec-migrate")
	if err != nil {
		return err
	}
	m.spare = filepath.Join(dir, "go.mod")
	sums, err := os.ReadFile(filepath.Join(m.dir, "go.sum"))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644); err != nil {
		return err
	}
	return os.WriteFile(m.spare, m.gomod, 0o644)
}

func (m *module) dropSpare() {
	if m.spare != "" {
		os.RemoveAll(filepath.Dir(m.spare))
	}
}

// A srcFile is a Go file of the module, of any build configuration.
type srcFile struct {
	path       string // absolute
	dir        string
	imports    map[string]bool
	constraint constraint.Expr // from its //go:build line, or nil
	ignored    bool            // left alone
	why        string          // it is left alone
}

// findModule reads the module that dir belongs to.
func findModule(dir string) (*module, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	root := dir
	for {
		data, err := os.ReadFile(filepath.Join(root, "go.mod"))
		if err == nil {
			f, err := modfile.Parse(filepath.Join(root, "go.mod"), data, nil)
			if err != nil {
				return nil, err
			}
			if f.Module == nil {
				return nil, fmt.Errorf("%s/go.mod names no module", root)
			}
			m := &module{dir: root, path: f.Module.Mod.Path, mod: f, gomod: data}
			return m, m.scan()
		}
		if !os.IsNotExist(err) {
			return nil, err
		}
		parent := filepath.Dir(root)
		if parent == root {
			return nil, fmt.Errorf("%s is not inside a Go module", dir)
		}
		root = parent
	}
}

// scan finds the module's Go files, as "./..." would under every configuration.
func (m *module) scan() error {
	return filepath.WalkDir(m.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p == m.dir {
				return nil
			}
			if name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil {
				return filepath.SkipDir // a module of its own
			}
			return nil
		}
		if !d.Type().IsRegular() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		f := parseHeader(p)
		if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
			f.ignored, f.why = true, "the go command takes no file of such a name"
		}
		m.files = append(m.files, f)
		return nil
	})
}

// parseHeader reads imports and build constraint. A file that does not parse has
// neither; the type check reports it.
func parseHeader(p string) *srcFile { return parseSource(p, nil) }

func parseSource(p string, src []byte) *srcFile {
	sf := &srcFile{path: p, dir: filepath.Dir(p), imports: make(map[string]bool)}
	var text any // nil: the file's own
	if src != nil {
		text = src
	}
	f, err := parser.ParseFile(token.NewFileSet(), p, text, parser.ImportsOnly|parser.ParseComments)
	if f == nil || err != nil {
		return sf
	}
	for _, spec := range f.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			sf.imports[path] = true
		}
	}
	for _, g := range f.Comments {
		if g.Pos() > f.Package {
			break
		}
		for _, c := range g.List {
			if x, err := constraint.Parse(c.Text); err == nil && constraint.IsGoBuild(c.Text) {
				sf.constraint = x
			}
		}
	}
	if needsIgnore(sf.constraint) {
		sf.ignored, sf.why = true, "a program of its own (build tag ignore)"
	}
	return sf
}

// needsIgnore reports whether a file is excluded from its package by the tag
// "ignore", which nobody sets.
func needsIgnore(x constraint.Expr) bool {
	return constraintTags(x)["ignore"] &&
		!x.Eval(func(tag string) bool { return tag != "ignore" }) &&
		!x.Eval(func(string) bool { return false })
}

// importPath returns the import path of a directory of the module.
func (m *module) importPath(dir string) string {
	rel, err := filepath.Rel(m.dir, dir)
	if err != nil || rel == "." {
		return m.path
	}
	return path.Join(m.path, filepath.ToSlash(rel))
}

// dependency returns the path of the required module that a package is in, or the
// package's if there is none.
func (m *module) dependency(path string) string {
	best := ""
	for _, r := range m.mod.Require {
		if p := r.Mod.Path; (path == p || strings.HasPrefix(path, p+"/")) && len(p) > len(best) {
			best = p
		}
	}
	if best == "" {
		return path
	}
	return best
}

// relevant returns the directories that the move can concern: those with a file
// that imports one of the packages, and all that import one of these, directly
// or not.
func (m *module) relevant(packages ...string) map[string]bool {
	dirs := make(map[string]bool)
	paths := make(map[string]bool)
	add := func(dir string) {
		dirs[dir] = true
		paths[m.importPath(dir)] = true
	}
	for _, f := range m.files {
		if !f.ignored && slices.ContainsFunc(packages, func(p string) bool { return f.imports[p] }) {
			add(f.dir)
		}
	}
	for {
		n := len(dirs)
		for _, f := range m.files {
			if dirs[f.dir] {
				continue
			}
			for p := range f.imports {
				if paths[p] {
					add(f.dir)
					break
				}
			}
		}
		if len(dirs) == n {
			return dirs
		}
	}
}

// match returns the directories with Go files that the patterns name. Patterns
// are those of the go command: directories, or import paths of this module, with
// "..." for any string.
func (m *module) match(wd string, patterns []string) (map[string]bool, error) {
	if len(patterns) == 0 {
		patterns = []string{"."}
	}
	all := make(map[string]bool)
	for _, f := range m.files {
		all[f.dir] = true
	}
	matched := make(map[string]bool)
	for _, pat := range patterns {
		dir, ok := m.patternDir(wd, pat)
		if !ok {
			return nil, fmt.Errorf("%s is not in module %s", pat, m.path)
		}
		n := len(matched)
		for d := range all {
			if matchDir(dir, d) {
				matched[d] = true
			}
		}
		if len(matched) == n && !strings.Contains(pat, "...") && !slices.ContainsFunc(patterns, func(p string) bool { return p != pat }) {
			return nil, fmt.Errorf("no Go files in %s", pat)
		}
	}
	return matched, nil
}

// patternDir turns a pattern into an absolute directory, which may have a "...".
func (m *module) patternDir(wd, pat string) (string, bool) {
	var dir string
	switch {
	case filepath.IsAbs(pat):
		dir = filepath.Clean(pat)
	case pat == m.path || strings.HasPrefix(pat, m.path+"/") || pat == m.path+"...":
		dir = filepath.Join(m.dir, filepath.FromSlash(strings.TrimPrefix(pat, m.path)))
		if pat == m.path+"..." {
			dir = filepath.Join(m.dir, "...")
		}
	case pat == "." || pat == ".." || strings.HasPrefix(pat, "./") || strings.HasPrefix(pat, "../"):
		dir = filepath.Join(wd, filepath.FromSlash(pat))
	default:
		return "", false
	}
	fixed, _, _ := strings.Cut(dir, "...")
	return dir, strings.HasPrefix(fixed+string(filepath.Separator), m.dir+string(filepath.Separator)) ||
		strings.HasPrefix(fixed, m.dir+string(filepath.Separator))
}

func matchDir(pat, dir string) bool {
	sep := string(filepath.Separator)
	if base, ok := strings.CutSuffix(pat, sep+"..."); ok && dir == base {
		return true
	}
	parts := strings.Split(pat, "...")
	if len(parts) == 1 {
		return pat == dir
	}
	rest, ok := strings.CutPrefix(dir, parts[0])
	if !ok {
		return false
	}
	for i, part := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(rest, part)
		}
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return true
}

// importName returns the name that spec declares in its file, given the name of
// the package it imports.
func importName(spec *ast.ImportSpec, name string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	return name
}

func specPath(spec *ast.ImportSpec) string {
	p, _ := strconv.Unquote(spec.Path.Value)
	return p
}
