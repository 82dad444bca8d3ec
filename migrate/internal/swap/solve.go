package swap

import (
	"cmp"
	"fmt"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// solve finds the largest set of units that can move.
func (p *Plan) solve(files, unbuilt []*srcFile, selected map[string]bool) error {
	s := &solver{
		Plan: p, units: newUnits(), names: make(map[string]string),
		reasons: make(map[string][]Reason), notes: make(map[string][]Reason), missing: make(map[string]string),
		pinned: make(map[token.Position]bool), border: make(map[token.Position]bool), survey: make(map[*world]*others),
		symbols: make(map[string][]symbol), starts: make(map[string]token.Position), links: make(map[link]bool),
	}
	isMain := make(map[string]bool)
	for _, w := range p.worlds {
		for _, t := range w.targets {
			if _, ok := s.names[t.unit]; !ok || t.ForTest == "" {
				s.names[t.unit] = strings.TrimSuffix(t.PkgPath, "_test")
			}
			isMain[t.unit] = isMain[t.unit] || t.Name == "main"
		}
	}
	s.baseline(files, unbuilt)
	s.guardStarts(isMain)

	wanted := make(map[string]bool) // sets with something to do
	for _, f := range files {
		if p.wants(f) {
			wanted[s.units.find(f.dir)] = true
		}
	}
	all := make(map[string]bool)
	for _, f := range files {
		all[f.dir] = true
	}
	for _, w := range p.worlds {
		for _, t := range w.targets {
			all[t.unit] = true
			if !t.local && wanted[s.units.find(t.unit)] {
				s.block(t.unit, Reason{Msg: t.PkgPath + " is not part of the module"})
			}
		}
	}
	// A set of which nothing is selected is not spoken of.
	chosen := make(map[string]bool)
	for unit := range all {
		if selected[unit] && wanted[s.units.find(unit)] {
			chosen[s.units.find(unit)] = true
		}
	}
	for unit := range all {
		if chosen[s.units.find(unit)] && !selected[unit] && s.hasWork(unit, files) {
			s.block(unit, Reason{Msg: p.module.importPath(unit) + " is not among the named packages"})
		}
	}
	for {
		s.tieStarts()
		p.moving = make(map[string]bool)
		blocked := make(map[string]bool)
		for unit := range s.reasons {
			blocked[s.units.find(unit)] = true
		}
		for unit := range all {
			if root := s.units.find(unit); chosen[root] && !blocked[root] {
				p.moving[unit] = true
			}
		}
		if len(p.moving) == 0 {
			p.drafts = make(map[string]*draft)
			break
		}
		failed := s.rewrite(files)
		if len(failed) == 0 {
			break
		}
		n := len(s.reasons)
		for unit, reasons := range failed {
			for _, u := range s.culprits(unit) {
				s.block(u, reasons...)
			}
		}
		if len(s.reasons) == n {
			return fmt.Errorf("%s does not compile after the move, and no package can be blamed: %s", p.module.path, firstReason(failed))
		}
	}
	if err := p.finish(); err != nil {
		return err
	}
	s.report(files, all, chosen)
	return nil
}

func firstReason(m map[string][]Reason) Reason {
	for _, rs := range m {
		return rs[0]
	}
	return Reason{}
}

// A solver is a Plan in the making.
type solver struct {
	*Plan
	units   *units
	reasons map[string][]Reason // why a unit cannot move
	notes   map[string][]Reason
	pinned  map[token.Position]bool
	survey  map[*world]*others
	before  map[*target]*checked
	names   map[string]string // import paths of units
	symbols map[string][]symbol
	starts  map[string]token.Position // of commands that others may get, by unit
	missing map[string]string         // packages that cannot be loaded, by unit
	links   map[link]bool
	border  map[token.Position]bool // what is exported, and so pinned
}

func (s *solver) block(unit string, reasons ...Reason) {
	for _, r := range reasons {
		if !slices.Contains(s.reasons[unit], r) {
			s.reasons[unit] = append(s.reasons[unit], r)
		}
	}
}

func (s *solver) note(unit string, r Reason) {
	if !slices.Contains(s.notes[unit], r) {
		s.notes[unit] = append(s.notes[unit], r)
	}
}

func (s *solver) hasWork(unit string, files []*srcFile) bool {
	return slices.ContainsFunc(files, func(f *srcFile) bool { return f.dir == unit && s.wants(f) })
}

// culprits returns the units to keep because unit does not compile: itself, or,
// if it is not moving, those it uses.
func (s *solver) culprits(unit string) []string {
	if s.moving[unit] {
		return []string{unit}
	}
	var used []string
	for _, w := range s.worlds {
		for _, t := range w.targets {
			if t.unit != unit {
				continue
			}
			for _, q := range t.Imports {
				for _, d := range w.targets {
					if d.Package == q && s.moving[d.unit] {
						used = append(used, d.unit)
					}
				}
			}
		}
	}
	return used
}

// baseline checks the module as it is and looks for what ties packages together
// or keeps them where they are.
func (s *solver) baseline(files, unbuilt []*srcFile) {
	s.before = make(map[*target]*checked)
	good := make(map[string]bool)  // files checked under some configuration
	known := make(map[string]bool) // files loaded under some configuration
	failure := make(map[string]map[*world]Reason)
	for _, w := range s.worlds {
		cs := w.check(s.text, false)
		o := surveyOthers(w)
		s.survey[w] = o
		for _, c := range cs {
			s.before[c.target] = c
			for _, f := range c.files {
				known[f] = true
			}
			if len(c.errs) > 0 || c.types == nil {
				s.broken[c.target] = true
				if failure[c.unit] == nil {
					failure[c.unit] = make(map[*world]Reason)
				}
				if _, ok := failure[c.unit][w]; !ok && len(c.errs) > 0 {
					failure[c.unit][w] = s.place(c.errs[0], "")
					if c.missing != "" {
						s.missing[c.unit] = c.missing
						failure[c.unit][w] = Reason{importPos(c), c.missing + " cannot be loaded: " + c.why}
					}
				}
			}
		}
		s.findBorder(cs)
		s.findStarts(cs)
		s.findBoxes(cs)
		s.exchange(cs, o)
		for _, c := range cs {
			if s.broken[c.target] {
				continue
			}
			for _, f := range c.files {
				good[f] = true
			}
			if !c.local || s.options.Reverse {
				continue
			}
			s.block(c.unit, o.refusals(c)...)
			for _, pos := range o.pins(c) {
				s.pinned[pos] = true
			}
			for _, f := range c.syntax {
				for _, n := range nameStrings(c, f, "exec") {
					if !n.mock {
						s.note(c.unit, Reason{w.fset.Position(n.lit.Pos()), "this string names the type: reflection and %T print xexec's as *xexec.Cmd"})
					}
				}
			}
		}
	}
	for _, f := range files {
		r := Reason{token.Position{Filename: f.path, Line: 1, Column: 1}, ""}
		switch imports := f.imports[s.from()]; {
		case f.ignored:
			if imports {
				r.Msg = "left alone: " + f.why
				s.note(f.dir, r)
			}
		case good[f.path]:
		case slices.Contains(unbuilt, f):
			r.Msg = "not checked: no build configuration has this file"
			s.unchecked(f, r, imports)
		case known[f.path] || imports:
			r.Msg = "not checked: no build configuration of this file compiles as it is"
			said := false // by the error that keeps the package where it is
			for _, w := range s.worlds {
				if fr, ok := failure[f.dir][w]; ok && imports {
					if s.missing[f.dir] == "" {
						fr.Msg = "does not compile for " + w.config.String() + " as it is: " + fr.Msg
					}
					s.block(f.dir, fr)
					said = true
					break
				}
			}
			if !said && len(failure[f.dir]) == 0 {
				s.unchecked(f, r, imports)
			}
		}
	}
	for unit, worlds := range failure {
		for w, r := range worlds {
			if _, blocked := s.reasons[unit]; !blocked {
				r.Msg = "not checked for " + w.config.String() + ", for which it does not compile as it is: " + r.Msg
				s.note(unit, r)
			}
		}
	}
}

// unchecked keeps a unit where it is if a file that cannot be checked would change.
func (s *solver) unchecked(f *srcFile, r Reason, changes bool) {
	if changes {
		s.block(f.dir, r)
	} else {
		s.note(f.dir, r)
	}
}

// importPos returns where a package imports what cannot be loaded.
func importPos(c *checked) token.Position {
	for _, f := range c.syntax {
		for _, spec := range f.Imports {
			if specPath(spec) == c.imports {
				return c.world.fset.Position(spec.Pos())
			}
		}
	}
	return token.Position{}
}

func (s *solver) name(unit string) string {
	if n, ok := s.names[unit]; ok {
		return n
	}
	return s.module.importPath(unit)
}

// report fills in Packages.
func (s *solver) report(files []*srcFile, all, chosen map[string]bool) {
	for _, unit := range slices.Sorted(maps.Keys(all)) {
		root := s.units.find(unit)
		changes := slices.ContainsFunc(s.Files, func(f *File) bool { return filepath.Dir(f.Path) == unit })
		if !slices.ContainsFunc(files, func(f *srcFile) bool { return f.dir == unit }) {
			continue // of another module
		}
		if !chosen[root] || !changes && len(s.reasons[unit]) == 0 && (s.moving[unit] || !s.hasWork(unit, files)) {
			continue // not concerned, or all that it has is exported
		}
		pkg := &Package{Path: s.module.importPath(unit), Dir: unit, Moves: s.moving[unit]}
		pkg.Notes = s.notes[unit]
		for _, sym := range s.symbols[unit] {
			r := Reason{sym.pos, sym.name + " is exported and has os/exec's Cmd in its type"}
			if pkg.Moves {
				r.Msg = sym.name + " is exported and keeps os/exec's Cmd in its type (-exported moves it)"
			}
			pkg.Notes = append(pkg.Notes, r)
		}
		if !pkg.Moves {
			pkg.Reasons = s.reasons[unit]
			pkg.Missing = s.missing[unit]
			if len(pkg.Reasons) == 0 {
				for _, other := range slices.Sorted(maps.Keys(s.reasons)) {
					if s.units.find(other) == root {
						pkg.Reasons = append(pkg.Reasons, s.units.reason(unit, other, s.name))
						break
					}
				}
			}
		}
		byPos := func(a, b Reason) int {
			return cmp.Or(cmp.Compare(a.Pos.Filename, b.Pos.Filename), cmp.Compare(a.Pos.Offset, b.Pos.Offset), cmp.Compare(a.Msg, b.Msg))
		}
		slices.SortFunc(pkg.Reasons, byPos)
		slices.SortFunc(pkg.Notes, byPos)
		s.Packages = append(s.Packages, pkg)
	}
}
