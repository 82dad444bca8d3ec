package swap

import (
	"cmp"
	"fmt"
	"go/token"
	"maps"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"
)

// A Finding is what an analyzer says about the code as it is after the move.
type Finding struct {
	Analyzer string
	Pos      token.Position // in the file as it is on disk
	Message  string
	Fixable  bool // it suggests a fix, the same under every configuration

	changes map[string]change
}

// Offer runs analyzers on the selected packages as they are after the move. With
// apply their fixes become part of the plan, again and again until they have no
// more to suggest; what is left is returned.
func (p *Plan) Offer(analyzers []*analysis.Analyzer, apply bool) ([]*Finding, error) {
	if len(analyzers) == 0 || len(p.worlds) == 0 || p.options.Reverse {
		return nil, nil
	}
	refused := make(map[string]bool) // fixes that did not compile
	for round := 0; ; round++ {
		found, err := p.analyze(analyzers)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			f.Fixable = f.Fixable && !refused[f.key()]
		}
		fixable := slices.DeleteFunc(slices.Clone(found), func(f *Finding) bool { return !f.Fixable })
		if !apply || len(fixable) == 0 || round == maxRounds {
			if apply {
				err = p.finish()
			}
			return found, err
		}
		if !p.applyFixes(fixable) {
			// One at a time: the others are as good as they were.
			for _, f := range fixable {
				if !p.applyFixes([]*Finding{f}) {
					refused[f.key()] = true
					continue
				}
				break
			}
		}
	}
}

func (f *Finding) key() string { return fmt.Sprint(f.Analyzer, f.Pos, f.Message) }

// applyFixes makes the fixes that do not touch each other, unless the module
// would not compile with them.
func (p *Plan) applyFixes(found []*Finding) bool {
	saved := make(map[string]*draft)
	for name, d := range p.drafts {
		c := *d
		c.rounds = slices.Clone(d.rounds)
		saved[name] = &c
	}
	perFile := make(map[string][]change)
	for _, f := range found {
		if len(f.changes) == 1 { // all our analyzers keep to one file
			for name, c := range f.changes {
				perFile[name] = append(perFile[name], c)
			}
		}
	}
	for name, changes := range perFile {
		d := p.drafts[name]
		if d == nil {
			text := p.text(name)
			d = &draft{original: text, text: text, made: make(map[string]bool)}
			p.drafts[name] = d
		}
		var edits []edit
		for _, c := range selectChanges(changes) {
			edits = append(edits, c.edits...)
		}
		d.apply(edits)
	}
	if len(p.failures(p.checkAll())) > 0 {
		p.drafts = saved
		return false
	}
	return true
}

// analyze runs analyzers under every configuration.
func (p *Plan) analyze(analyzers []*analysis.Analyzer) ([]*Finding, error) {
	byKey := make(map[string]*Finding)
	seen := make(map[string]map[*world]bool)
	for _, w := range p.worlds {
		var pkgs []*packages.Package
		for _, c := range w.check(p.text, true) {
			if !c.local || !p.selected[c.unit] || len(c.errs) > 0 || c.types == nil {
				continue
			}
			pkgs = append(pkgs, &packages.Package{
				ID: c.ID, Name: c.Name, PkgPath: c.PkgPath, Fset: w.fset, Module: c.Module,
				GoFiles: c.files, CompiledGoFiles: c.files, Imports: map[string]*packages.Package{},
				Syntax: c.syntax, Types: c.types, TypesInfo: c.info, TypesSizes: c.TypesSizes,
			})
		}
		graph, err := checker.Analyze(analyzers, pkgs, &checker.Options{Sequential: true})
		if err != nil {
			return nil, err
		}
		for _, act := range graph.Roots {
			if act.Err != nil {
				return nil, fmt.Errorf("%s on %s: %w", act.Analyzer.Name, act.Package.PkgPath, act.Err)
			}
			for _, d := range act.Diagnostics {
				f := p.finding(w, act.Analyzer.Name, d)
				k := f.key()
				switch old := byKey[k]; {
				case old == nil:
					byKey[k] = f
				case !maps.EqualFunc(old.changes, f.changes, func(a, b change) bool { return a.key() == b.key() }):
					old.Fixable = false // the configurations do not agree
				}
				if seen[k] == nil {
					seen[k] = make(map[*world]bool)
				}
				seen[k][w] = true
			}
		}
	}
	for k, f := range byKey {
		for _, w := range p.worlds {
			if !seen[k][w] && p.builtIn(w, f.Pos.Filename) {
				f.Fixable = false // one configuration does not see it
			}
		}
	}
	found := slices.Collect(maps.Values(byKey))
	slices.SortFunc(found, func(a, b *Finding) int {
		return cmp.Or(cmp.Compare(a.Pos.Filename, b.Pos.Filename), cmp.Compare(a.Pos.Offset, b.Pos.Offset), cmp.Compare(a.key(), b.key()))
	})
	return found, nil
}

// builtIn reports whether the file is part of a package that compiles in w.
func (p *Plan) builtIn(w *world, name string) bool {
	return slices.ContainsFunc(w.targets, func(t *target) bool {
		return slices.Contains(t.files, name) && !p.broken[t]
	})
}

func (p *Plan) finding(w *world, analyzer string, d analysis.Diagnostic) *Finding {
	f := &Finding{
		Analyzer: analyzer,
		Pos:      p.origin(w.fset.Position(d.Pos)),
		Message:  d.Message,
		Fixable:  len(d.SuggestedFixes) == 1,
		changes:  make(map[string]change),
	}
	if f.Fixable {
		for _, te := range d.SuggestedFixes[0].TextEdits {
			pos := w.fset.Position(te.Pos)
			end := pos.Offset
			if te.End.IsValid() {
				end = w.fset.Position(te.End).Offset
			}
			c := f.changes[pos.Filename]
			c.edits = append(c.edits, edit{pos.Offset, end, string(te.NewText)})
			f.changes[pos.Filename] = c
		}
	}
	return f
}
