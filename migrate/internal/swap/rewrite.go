package swap

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
)

const maxRounds = 25

// rewrite moves the units in s.moving and returns what is wrong with the result,
// by unit.
func (s *solver) rewrite(files []*srcFile) map[string][]Reason {
	s.drafts = make(map[string]*draft)
	for _, f := range files {
		if s.moving[f.dir] && !f.ignored {
			text := s.text(f.path)
			s.drafts[f.path] = &draft{original: text, text: text, made: make(map[string]bool)}
		}
	}
	mixed := make(map[string]bool)
	for _, f := range files {
		mixed[f.path] = f.imports[Std] && f.imports[Xexec]
	}
	if s.options.Reverse {
		s.rounds(func(c *checked, i int) []change { return strip(c, c.syntax[i], s.drafts[c.files[i]]) })
		s.swapImports(files)
		return s.failures(s.checkAll())
	}
	s.swapImports(files)
	conflicts := make(map[string][]Reason)
	cs := s.rounds(func(c *checked, i int) []change {
		name := c.files[i]
		x := &crosser{checked: c, file: c.syntax[i], draft: s.drafts[name], mixed: mixed[name], opaque: s.survey[c.world].opaque, kept: make(map[ast.Expr]bool)}
		pinned := s.pin(x)
		changes := append(x.run(), pinned...)
		for _, pos := range x.conflicts {
			r := Reason{s.origin(pos), "needs a conversion under some build configurations and none under others"}
			if !slices.Contains(conflicts[c.unit], r) {
				conflicts[c.unit] = append(conflicts[c.unit], r)
			}
		}
		if len(changes) == 0 && !x.mixed {
			changes = append(changes, x.tidyImports()...)
		}
		return append(changes, x.renameImport()...)
	})
	failed := s.failures(cs)
	maps.Copy(failed, conflicts)
	for unit, reasons := range s.openBorders(cs) {
		failed[unit] = append(failed[unit], reasons...)
	}
	for _, c := range cs {
		if b := s.before[c.target]; s.moving[c.unit] && !s.broken[c.target] {
			if rs := shadowed(b, c); len(rs) > 0 {
				failed[c.unit] = append(failed[c.unit], rs...)
			}
		}
	}
	return failed
}

func (p *Plan) checkAll() []*checked {
	var all []*checked
	for _, w := range p.worlds {
		all = append(all, w.check(p.text, !p.options.Reverse)...)
	}
	return all
}

// rounds makes the changes that find proposes until there are none, and returns
// the last check.
func (s *solver) rounds(find func(c *checked, file int) []change) []*checked {
	for round := 0; ; round++ {
		cs := s.checkAll()
		changes := make(map[string][]change)
		checkedFiles := make(map[string]*checked)
		for _, c := range cs {
			if !s.moving[c.unit] || s.broken[c.target] || c.types == nil {
				continue
			}
			for i, name := range c.files {
				if s.drafts[name] != nil {
					changes[name] = append(changes[name], find(c, i)...)
					checkedFiles[name] = c
				}
			}
		}
		declarationsFirst(changes)
		changed := false
		for name, found := range changes {
			changed = s.change(checkedFiles[name], name, found) || changed
		}
		if !changed || round == maxRounds {
			return cs
		}
	}
}

// declarationsFirst leaves only the changes that give variables their types, if
// there are such.
func declarationsFirst(changes map[string][]change) {
	isDecl := func(c change) bool { return c.decl }
	for _, cs := range changes {
		if slices.ContainsFunc(cs, isDecl) {
			for name, cs := range changes {
				changes[name] = slices.DeleteFunc(cs, func(c change) bool { return !c.decl })
			}
			return
		}
	}
}

// change makes those of the changes to one file that can be made together.
func (s *solver) change(c *checked, name string, found []change) bool {
	if len(found) == 0 {
		return false
	}
	f := c.syntax[slices.Index(c.files, name)]
	d := s.drafts[name]
	var edits []edit
	add := make(map[string]string)
	for _, ch := range selectChanges(found) {
		edits = append(edits, ch.edits...)
		maps.Copy(add, ch.imports)
	}
	d.apply(append(edits, addImports(c.world.fset, f, d.text, add, d.formatted())...))
	return true
}

// swapImports swaps the import in every file of the moving units, of whatever
// configuration.
func (s *solver) swapImports(files []*srcFile) {
	for _, f := range files {
		d := s.drafts[f.path]
		if d == nil || !s.wants(f) {
			continue
		}
		fset := token.NewFileSet()
		if file := parseImports(fset, f.path, d.text); file != nil {
			d.apply(swapImport(fset, file, d.text, s.from(), s.to(), d.formatted()))
		}
	}
}

// failures returns the errors that the move has made, by unit.
func (p *Plan) failures(cs []*checked) map[string][]Reason {
	failed := make(map[string][]Reason)
	for _, c := range cs {
		if p.broken[c.target] {
			continue
		}
		for _, e := range c.errs {
			r := p.place(e, "after the move: ")
			if strings.HasPrefix(e.Msg, "\t") {
				continue // the second half of the one before
			}
			if !slices.Contains(failed[c.unit], r) {
				failed[c.unit] = append(failed[c.unit], r)
			}
		}
	}
	return failed
}
