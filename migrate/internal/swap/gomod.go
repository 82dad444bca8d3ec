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
// requirements of a replacement directory are read there. Lines that do not have
// to change stay as they are.
func (p *Plan) ModFiles(r Requirement) ([]*File, []string, error) {
	mod := p.module.mod
	if p.options.Reverse {
		return p.dropRequirement(mod)
	}
	if len(p.Files) == 0 || requirement(mod, Xexec) != nil || !p.imports(Xexec) {
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
	needed := minGo
	if r.Replace != "" {
		var err error
		if theirs, err = readReplacement(r.Replace); err != nil {
			return nil, nil, err
		}
		if theirs.Go != nil {
			needed = maxGo(needed, theirs.Go.Version)
		}
	}
	e := &modEditor{mod: mod, src: p.module.gomod}
	was := "1.16" // what the go command takes for no go line
	if mod.Go != nil {
		was = mod.Go.Version
	}
	if now := maxGo(was, needed); now != was {
		e.setGo(now)
		note := fmt.Sprintf("go.mod: the go line rises from %s to %s, which xexec needs", was, now)
		if version.Compare("go"+was, "go1.22") < 0 {
			note += "; since 1.22 the variables of a for loop are new in each iteration"
		}
		notes = append(notes, note)
	}
	e.require(Xexec, v, "")
	var sums []string
	if r.Replace != "" {
		var err error
		if sums, err = p.replace(e, r.Replace, theirs); err != nil {
			return nil, nil, err
		}
	} else {
		notes = append(notes, "go.mod: run go mod tidy, which downloads "+Xexec+" "+v)
	}
	if _, err := os.Stat(filepath.Join(p.Dir, "vendor", "modules.txt")); err == nil {
		notes = append(notes, "vendor: run go mod vendor")
	}
	return p.modFiles(e, sums, nil, notes, false)
}

// modFiles returns go.mod with the edits, and go.sum with some lines more or less. One
// that loses all its lines goes, unless it may be empty.
func (p *Plan) modFiles(e *modEditor, sums, gone, notes []string, empty bool) ([]*File, []string, error) {
	files := []*File{{Path: p.module.mod.Syntax.Name, Old: e.src, New: apply(e.src, e.edits)}}
	if _, err := modfile.Parse(files[0].Path, files[0].New, nil); err != nil {
		return nil, nil, err
	}
	name := filepath.Join(p.Dir, "go.sum")
	old, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		return nil, nil, err
	}
	if now := editSums(string(old), sums, gone); now != string(old) {
		f := &File{Path: name, Old: old, New: []byte(now)}
		if now == "" && !empty {
			f.New = nil
		}
		files = append(files, f)
	}
	return files, notes, nil
}

// imports reports whether the module imports a package after the move.
func (p *Plan) imports(path string) bool {
	moved := make(map[string]bool)
	for _, f := range p.Files {
		moved[f.Path] = true
		if parseSource(f.Path, f.New).imports[path] {
			return true
		}
	}
	return slices.ContainsFunc(p.module.files, func(f *srcFile) bool { return f.imports[path] && !moved[f.path] })
}

func requirement(mod *modfile.File, path string) *modfile.Require {
	for _, r := range mod.Require {
		if r.Mod.Path == path {
			return r
		}
	}
	return nil
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

// What a line of go.mod says that is there for xexec's sake. The way back takes
// the line away, or sets the version that it had.
const (
	forXexec     = "for xexec"
	withoutXexec = " without xexec"
	sumsKept     = ", sums kept"        // go.sum had them before
	sumEmpty     = ", go.sum was empty" // and not missing
)

// replace adds a replacement of xexec by a directory, with what the package needs
// of what its go.mod, theirs, requires. It returns the lines for go.sum.
func (p *Plan) replace(e *modEditor, dir string, theirs *modfile.File) ([]string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	path := abs
	if !filepath.IsAbs(dir) {
		if real, err := filepath.EvalSymlinks(abs); err == nil { // as p.Dir is
			if rel, err := filepath.Rel(p.Dir, real); err == nil {
				path = rel
			}
		}
	}
	path = filepath.ToSlash(path)
	if !filepath.IsAbs(path) && !strings.HasPrefix(path, "../") && path != ".." {
		path = "./" + path
	}
	data, err := os.ReadFile(filepath.Join(abs, "go.sum"))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	old, err := os.ReadFile(filepath.Join(p.Dir, "go.sum"))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var sums []string
	for _, r := range theirs.Require {
		have := requirement(e.mod, r.Mod.Path)
		if have != nil && semver.Compare(have.Mod.Version, r.Mod.Version) >= 0 || !usedByPackage(abs, r.Mod.Path) {
			continue
		}
		kept := ""
		if old != nil && len(old) == 0 {
			kept = sumEmpty
		}
		for line := range strings.Lines(string(data)) {
			if isSumOf(line, r.Mod.Path, r.Mod.Version) {
				if strings.Contains(string(old), line) {
					kept = sumsKept
				}
				sums = append(sums, strings.TrimSuffix(line, "\n"))
			}
		}
		if have == nil {
			e.require(r.Mod.Path, r.Mod.Version, "indirect; "+forXexec+kept)
		} else {
			e.change(have, r.Mod.Version, have.Mod.Version+withoutXexec+kept)
		}
	}
	e.replace(Xexec, path)
	return sums, nil
}

// usedByPackage reports whether the package in dir, or one below it that is not
// for tests, imports from a module.
func usedByPackage(dir, module string) bool {
	used := false
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := d.Name()
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			if name != dir && (err == nil || base == "testdata" || base == "examples" || strings.Contains(base, "test") || strings.HasPrefix(base, ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		for path := range parseHeader(name).imports {
			used = used || path == module || strings.HasPrefix(path, module+"/")
		}
		return nil
	})
	return used || err != nil
}

// isSumOf reports whether a line of go.sum is about a version of a module.
func isSumOf(line, path, version string) bool {
	f := strings.Fields(line)
	return len(f) == 3 && f[0] == path && strings.TrimSuffix(f[1], "/go.mod") == version
}

// editSums adds lines to a go.sum, each where its module is, and takes others away.
func editSums(text string, add, gone []string) string {
	lines := slices.Collect(strings.Lines(text))
	lines = slices.DeleteFunc(lines, func(l string) bool { return slices.Contains(gone, strings.TrimRight(l, "\r\n")) })
	for _, line := range add {
		if strings.Contains(text, line) {
			continue
		}
		at := len(lines)
		for i, l := range lines {
			if compareSums(l, line) > 0 {
				at = i
				break
			}
		}
		lines = slices.Insert(lines, at, line+"\n")
	}
	return strings.Join(lines, "")
}

// compareSums orders lines of go.sum as the go command does.
func compareSums(a, b string) int {
	fa, fb := strings.Fields(a), strings.Fields(b)
	if len(fa) < 2 || len(fb) < 2 {
		return 0
	}
	if c := strings.Compare(fa[0], fb[0]); c != 0 {
		return c
	}
	va, ma, _ := strings.Cut(fa[1], "/")
	vb, mb, _ := strings.Cut(fb[1], "/")
	if c := semver.Compare(va, vb); c != 0 {
		return c
	}
	return strings.Compare(ma, mb)
}

// dropRequirement takes xexec out of go.mod once nothing imports it.
func (p *Plan) dropRequirement(mod *modfile.File) ([]*File, []string, error) {
	if len(p.Files) == 0 || requirement(mod, Xexec) == nil {
		return nil, nil, nil
	}
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
	e := &modEditor{mod: mod, src: p.module.gomod}
	var gone []string
	tidy, empty := true, false
	for _, r := range mod.Require {
		if r.Mod.Path == Xexec {
			e.drop(r.Syntax)
			continue
		}
		comment := suffix(r.Syntax)
		_, added := strings.CutPrefix(comment, "indirect; "+forXexec)
		was := ""
		if before, _, ok := strings.Cut(comment, withoutXexec); ok {
			was = before[strings.LastIndexByte(before, ' ')+1:]
		}
		switch {
		case added:
			e.drop(r.Syntax)
		case semver.IsValid(was):
			e.restore(r, was)
		default:
			continue
		}
		tidy = false
		empty = empty || strings.HasSuffix(comment, sumEmpty)
		if !strings.HasSuffix(comment, sumsKept) {
			data, err := os.ReadFile(filepath.Join(p.Dir, "go.sum"))
			if err != nil && !os.IsNotExist(err) {
				return nil, nil, err
			}
			for line := range strings.Lines(string(data)) {
				if isSumOf(line, r.Mod.Path, r.Mod.Version) {
					gone = append(gone, strings.TrimRight(line, "\r\n"))
				}
			}
		}
	}
	for _, r := range mod.Replace {
		if r.Old.Path == Xexec {
			e.drop(r.Syntax)
			tidy = false
		}
	}
	var notes []string
	if tidy {
		notes = append(notes, "go.mod: run go mod tidy, which drops what only xexec needed")
	}
	return p.modFiles(e, nil, gone, notes, empty)
}
