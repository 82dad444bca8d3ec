package swap

import (
	"errors"
	"fmt"
	"go/version"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// minGo is the language version that xexec needs of a module that uses it.
const minGo = "1.26.0"

func maxGo(a, b string) string {
	if version.Compare("go"+a, "go"+b) >= 0 {
		return a
	}
	return b
}

// ErrNoVersion is the error of ModFiles if go.mod has to require xexec and nobody
// says how.
var ErrNoVersion = errors.New("go.mod needs a version of " + Xexec + ": name one with -require, or a directory with -replace")

// A Requirement says how go.mod is to name xexec.
type Requirement struct {
	Version string // "" for v0.0.0 with Replace
	Replace string // a directory with xexec's source, or ""
}

// ModFiles returns go.mod and, if it changes, go.sum, as they have to be after
// the move, and what the user should know about it. Nothing is fetched: the
// requirements of a replacement directory are read there.
func (p *Plan) ModFiles(r Requirement) ([]*File, []string, error) {
	mod, err := modfile.Parse(p.module.mod.Syntax.Name, p.module.gomod, nil)
	if err != nil {
		return nil, nil, err
	}
	if p.options.Reverse {
		return p.dropRequirement(mod)
	}
	if len(p.Files) == 0 || p.requires(mod) {
		return nil, nil, nil
	}
	var notes []string
	v := r.Version
	if v == "" && r.Replace != "" {
		v = "v0.0.0"
	}
	if !semver.IsValid(v) {
		return nil, nil, ErrNoVersion
	}
	var theirs *modfile.File
	if r.Replace != "" {
		if theirs, err = readReplacement(r.Replace); err != nil {
			return nil, nil, err
		}
	}
	was := "1.16" // what the go command takes for no go line
	if mod.Go != nil {
		was = mod.Go.Version
	}
	needed := minGo
	if theirs != nil && theirs.Go != nil {
		needed = maxGo(needed, theirs.Go.Version)
	}
	if now := maxGo(was, needed); now != was {
		if err := mod.AddGoStmt(now); err != nil {
			return nil, nil, err
		}
		note := fmt.Sprintf("go.mod: the go line rises from %s to %s, which xexec needs", was, now)
		if version.Compare("go"+was, "go1.22") < 0 {
			note += "; since 1.22 the variables of a for loop are new in each iteration"
		}
		notes = append(notes, note)
	}
	mod.AddNewRequire(Xexec, v, false)
	var sum *File
	if r.Replace != "" {
		if sum, err = p.replace(mod, r.Replace, theirs); err != nil {
			return nil, nil, err
		}
	} else {
		notes = append(notes, "go.mod: run go mod tidy, which downloads "+Xexec+" "+v)
	}
	if _, err := os.Stat(filepath.Join(p.Dir, "vendor", "modules.txt")); err == nil {
		notes = append(notes, "vendor: run go mod vendor")
	}
	mod.SetRequireSeparateIndirect(requirements(mod))
	file, err := formatMod(mod, p.module.gomod)
	if err != nil {
		return nil, nil, err
	}
	files := []*File{file}
	if sum != nil {
		files = append(files, sum)
	}
	return files, notes, nil
}

func requirements(mod *modfile.File) []*modfile.Require {
	var rs []*modfile.Require
	for _, r := range mod.Require {
		rs = append(rs, &modfile.Require{Mod: r.Mod, Indirect: r.Indirect})
	}
	return rs
}

func formatMod(mod *modfile.File, old []byte) (*File, error) {
	mod.Cleanup()
	data, err := mod.Format()
	if err != nil {
		return nil, err
	}
	return &File{Path: mod.Syntax.Name, Old: old, New: data}, nil
}

func (p *Plan) requires(mod *modfile.File) bool {
	return slices.ContainsFunc(mod.Require, func(r *modfile.Require) bool { return r.Mod.Path == Xexec })
}

// readReplacement reads the go.mod of a directory with xexec's source.
func readReplacement(dir string) (*modfile.File, error) {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil, fmt.Errorf("replacing %s: %w", Xexec, err)
	}
	theirs, err := modfile.ParseLax("go.mod", data, nil)
	if err != nil {
		return nil, fmt.Errorf("replacing %s: %w", Xexec, err)
	}
	if theirs.Module == nil || theirs.Module.Mod.Path != Xexec {
		return nil, fmt.Errorf("replacing %s: %s is another module", Xexec, dir)
	}
	return theirs, nil
}

// replace adds a replacement of xexec by a directory, with what its go.mod,
// theirs, requires.
func (p *Plan) replace(mod *modfile.File, dir string, theirs *modfile.File) (*File, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	path := dir
	if filepath.IsAbs(dir) {
		if rel, err := filepath.Rel(p.Dir, abs); err == nil && !strings.HasPrefix(rel, strings.Repeat(".."+string(filepath.Separator), 4)) {
			path = rel
		}
	} else if path, err = filepath.Rel(p.Dir, abs); err != nil {
		path = abs
	}
	path = filepath.ToSlash(path)
	if !filepath.IsAbs(path) && !strings.HasPrefix(path, "../") && path != ".." {
		path = "./" + path
	}
	if err := mod.AddReplace(Xexec, "", path, ""); err != nil {
		return nil, err
	}
	have := make(map[string]string)
	for _, r := range mod.Require {
		have[r.Mod.Path] = r.Mod.Version
	}
	for _, r := range theirs.Require {
		switch v, ok := have[r.Mod.Path]; {
		case ok && semver.Compare(v, r.Mod.Version) < 0:
			if err := mod.AddRequire(r.Mod.Path, r.Mod.Version); err != nil {
				return nil, err
			}
		case !ok && usedByPackage(abs, r.Mod.Path):
			mod.AddNewRequire(r.Mod.Path, r.Mod.Version, true)
		}
	}
	return p.addSums(filepath.Join(abs, "go.sum"))
}

// usedByPackage reports whether the package in dir, without its tests, imports
// from a module.
func usedByPackage(dir, module string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return true
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		for path := range parseHeader(filepath.Join(dir, e.Name())).imports {
			if path == module || strings.HasPrefix(path, module+"/") {
				return true
			}
		}
	}
	return false
}

// addSums adds another go.sum's lines to the module's.
func (p *Plan) addSums(from string) (*File, error) {
	theirs, err := os.ReadFile(from)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	name := filepath.Join(p.Dir, "go.sum")
	old, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(string(old), "\n"), "\n")
	for line := range strings.Lines(string(theirs)) {
		if line = strings.TrimSuffix(line, "\n"); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	lines = slices.DeleteFunc(lines, func(s string) bool { return s == "" })
	slices.Sort(lines)
	now := strings.Join(lines, "\n") + "\n"
	if now == string(old) {
		return nil, nil
	}
	return &File{Path: name, Old: old, New: []byte(now)}, nil
}

// dropRequirement takes xexec out of go.mod once nothing imports it.
func (p *Plan) dropRequirement(mod *modfile.File) ([]*File, []string, error) {
	moved := make(map[string]bool)
	for _, f := range p.Files {
		moved[f.Path] = true
	}
	for _, f := range p.module.files {
		for path := range f.imports {
			if (path == Xexec || strings.HasPrefix(path, Xexec+"/")) && !moved[f.path] {
				return nil, nil, nil
			}
		}
	}
	if len(p.Files) == 0 || !p.requires(mod) {
		return nil, nil, nil
	}
	if err := mod.DropRequire(Xexec); err != nil {
		return nil, nil, err
	}
	for _, r := range slices.Clone(mod.Replace) {
		if r.Old.Path == Xexec {
			if err := mod.DropReplace(r.Old.Path, r.Old.Version); err != nil {
				return nil, nil, err
			}
		}
	}
	file, err := formatMod(mod, p.module.gomod)
	if err != nil {
		return nil, nil, err
	}
	return []*File{file}, []string{"go.mod: run go mod tidy, which drops what only xexec needed"}, nil
}
