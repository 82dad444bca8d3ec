package swap

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/format"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
)

// Options say what to move.
type Options struct {
	Dir      string   // where the patterns are relative to
	Patterns []string // packages, as for the go command
	Tags     []string // build tags in force in every configuration
	Reverse  bool     // from xexec to os/exec
	Exported bool     // also what packages that others can import export
}

// A Plan is a move that has been worked out in memory.
type Plan struct {
	Module   string // its path
	Dir      string // its directory
	Packages []*Package
	Files    []*File // those that change

	options  Options
	module   *module
	worlds   []*world
	drafts   map[string]*draft
	moving   map[string]bool
	selected map[string]bool
	broken   map[*target]bool // what did not compile before
}

// A Package is one that the move concerns: a directory, tests included.
type Package struct {
	Path    string
	Dir     string
	Moves   bool
	Reasons []Reason // why not
	Missing string   // a package that it needs and that cannot be loaded
	Notes   []Reason // what to look at
}

// A Reason is a remark with the position it is about, if there is one.
type Reason struct {
	Pos token.Position
	Msg string
}

func (r Reason) String() string {
	if r.Pos.IsValid() {
		return r.Pos.String() + ": " + r.Msg
	}
	return r.Msg
}

// A File is a file's text before and after. One that goes has no New at all.
type File struct {
	Path     string
	Old, New []byte
}

// Make works out a move. Nothing is written.
func Make(o Options) (*Plan, error) {
	m, err := findModule(o.Dir)
	if err != nil {
		return nil, err
	}
	if m.path == Xexec {
		return nil, fmt.Errorf("module %s is what code is moved to", Xexec)
	}
	defer m.dropSpare()
	wd, err := filepath.Abs(o.Dir)
	if err == nil {
		wd, err = filepath.EvalSymlinks(wd)
	}
	if err != nil {
		return nil, err
	}
	selected, err := m.match(wd, o.Patterns)
	if err != nil {
		return nil, err
	}
	p := &Plan{Module: m.path, Dir: m.dir, options: o, module: m, drafts: make(map[string]*draft), broken: make(map[*target]bool)}
	dirs := m.relevant(Std, Xexec)
	if len(dirs) == 0 {
		return p, nil
	}
	p.selected = selected
	var files []*srcFile
	for _, f := range m.files {
		if dirs[f.dir] {
			files = append(files, f)
		}
	}
	configs, unbuilt, err := configsFor(m.dir, files, o.Tags)
	if err != nil {
		return nil, err
	}
	for _, c := range configs {
		w, err := load(m, c, dirs)
		if err != nil {
			return nil, err
		}
		if len(w.targets) > 0 {
			p.worlds = append(p.worlds, w)
		}
	}
	return p, p.solve(files, unbuilt, selected)
}

func (p *Plan) from() string {
	if p.options.Reverse {
		return Xexec
	}
	return Std
}

func (p *Plan) to() string {
	if p.options.Reverse {
		return Std
	}
	return Xexec
}

// wants reports whether a file's import is to be swapped. One that has both
// imports uses os/exec on purpose.
func (p *Plan) wants(f *srcFile) bool {
	return f.imports[p.from()] && !f.ignored && (p.options.Reverse || !f.imports[p.to()])
}

// text returns a file as the move has it so far.
func (p *Plan) text(name string) []byte {
	if d := p.drafts[name]; d != nil {
		return d.text
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil // the parser reports an empty file
	}
	return data
}

// place turns a type error into a reason at its position in the original text.
func (p *Plan) place(e types.Error, prefix string) Reason {
	return Reason{p.origin(e.Fset.Position(e.Pos)), prefix + e.Msg}
}

// origin maps a position in a draft to the file as it is on disk.
func (p *Plan) origin(pos token.Position) token.Position {
	d := p.drafts[pos.Filename]
	if d == nil || !pos.IsValid() {
		return pos
	}
	off := d.origin(pos.Offset)
	return token.Position{
		Filename: pos.Filename,
		Offset:   off,
		Line:     1 + bytes.Count(d.original[:off], []byte("\n")),
		Column:   off - bytes.LastIndexByte(d.original[:off], '\n'),
	}
}

// finish checks what has changed once more as it will be written. A file that was
// formatted as gofmt does stays so, in the others no line changes but those that
// have to.
func (p *Plan) finish() error {
	p.Files = nil
	formatted := make(map[string][]byte)
	for name, d := range p.drafts {
		if bytes.Equal(d.text, d.original) {
			continue
		}
		text := d.text
		if d.formatted() {
			var err error
			if text, err = format.Source(d.text); err != nil {
				return fmt.Errorf("formatting %s after the move: %w", name, err)
			}
		}
		if bytes.Equal(text, d.original) {
			continue
		}
		formatted[name] = text
		p.Files = append(p.Files, &File{Path: name, Old: d.original, New: text})
	}
	slices.SortFunc(p.Files, func(a, b *File) int { return cmp.Compare(a.Path, b.Path) })
	if len(p.Files) == 0 {
		return nil
	}
	text := func(name string) []byte {
		if t, ok := formatted[name]; ok {
			return t
		}
		return p.text(name)
	}
	var errs []error
	for _, w := range p.worlds {
		for _, c := range w.check(text, !p.options.Reverse) {
			if len(c.errs) > 0 && !p.broken[c.target] {
				errs = append(errs, fmt.Errorf("%s would not compile for %s: %w", c.PkgPath, w.config, c.errs[0]))
			}
		}
	}
	return errors.Join(errs...)
}
