package main

import (
	"encoding/json"
	"fmt"
	"go/token"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"example.com/xexec/migrate/internal/swap"
	"github.com/rogpeppe/go-internal/diff"
)

// A report is what -json prints.
type report struct {
	Module   string          `json:"module"`
	Packages []packageReport `json:"packages"`
	Offers   []offerReport   `json:"offers"`
	Files    []string        `json:"files"` // that change
	Notes    []string        `json:"notes,omitempty"`
}

type packageReport struct {
	Path    string   `json:"path"`
	Moves   bool     `json:"moves"`
	Missing string   `json:"missing,omitempty"` // a package that it needs and that cannot be loaded
	Reasons []remark `json:"reasons,omitempty"` // why it does not move
	Notes   []remark `json:"notes,omitempty"`   // what to look at
}

type remark struct {
	Posn    string `json:"posn,omitempty"`
	Message string `json:"message"`
}

type offerReport struct {
	Analyzer string `json:"analyzer"`
	Posn     string `json:"posn"`
	Message  string `json:"message"`
	Fixable  bool   `json:"fixable"`
}

func newReport(plan *swap.Plan, findings []*swap.Finding, wd string) *report {
	r := &report{Module: plan.Module, Packages: []packageReport{}, Offers: []offerReport{}, Files: []string{}}
	for _, p := range plan.Packages {
		r.Packages = append(r.Packages, packageReport{p.Path, p.Moves, p.Missing, remarks(wd, p.Reasons), remarks(wd, p.Notes)})
	}
	for _, f := range findings {
		r.Offers = append(r.Offers, offerReport{f.Analyzer, posn(wd, f.Pos), f.Message, f.Fixable})
	}
	return r
}

func remarks(wd string, reasons []swap.Reason) []remark {
	var rs []remark
	for _, r := range reasons {
		rs = append(rs, remark{posn(wd, r.Pos), r.Msg})
	}
	return rs
}

func posn(wd string, pos token.Position) string {
	if !pos.IsValid() {
		return ""
	}
	pos.Filename = relative(wd, pos.Filename)
	return pos.String()
}

func relative(wd, path string) string {
	if rel, err := filepath.Rel(wd, path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}

func (r *report) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "\t")
	return enc.Encode(r)
}

func (r *report) writeText(w io.Writer, o options) error {
	from, to := "os/exec", "xexec"
	if o.reverse {
		from, to = to, from
	}
	var b strings.Builder
	for _, p := range r.Packages {
		switch {
		case p.Missing != "":
			continue
		case !p.Moves:
			fmt.Fprintf(&b, "%s stays on %s\n", p.Path, from)
		case o.fix:
			fmt.Fprintf(&b, "%s moved to %s\n", p.Path, to)
		default:
			fmt.Fprintf(&b, "%s can move to %s\n", p.Path, to)
		}
		for _, rs := range [][]remark{p.Reasons, p.Notes} {
			for _, m := range rs {
				fmt.Fprintf(&b, "\t%s\n", m)
			}
		}
	}
	r.writeMissing(&b, from)
	for _, f := range r.Offers {
		fix := ""
		if f.Fixable {
			fix = ", fixable"
		}
		fmt.Fprintf(&b, "%s: %s (%s%s)\n", f.Posn, f.Message, f.Analyzer, fix)
	}
	for _, n := range r.Notes {
		fmt.Fprintln(&b, n)
	}
	if next := r.next(o); next != "" {
		fmt.Fprintf(&b, "\nNext: %s\n", next)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeMissing writes one line for each package that cannot be loaded.
func (r *report) writeMissing(b *strings.Builder, from string) {
	var missing []string
	needing := make(map[string][]packageReport)
	for _, p := range r.Packages {
		if p.Missing == "" {
			continue
		}
		if needing[p.Missing] == nil {
			missing = append(missing, p.Missing)
		}
		needing[p.Missing] = append(needing[p.Missing], p)
	}
	for _, path := range missing {
		ps := needing[path]
		what := ps[0].Path + " stays"
		if len(ps) > 1 {
			what = fmt.Sprintf("%d packages stay", len(ps))
		}
		why := path + " cannot be loaded"
		if len(ps[0].Reasons) > 0 {
			why = ps[0].Reasons[0].String()
		}
		fmt.Fprintf(b, "%s on %s: %s\n", what, from, why)
	}
}

// next says what to do after the report.
func (r *report) next(o options) string {
	moves, stays, missing, fixable := 0, 0, 0, 0
	for _, p := range r.Packages {
		switch {
		case p.Moves:
			moves++
		case p.Missing != "":
			missing++
		default:
			stays++
		}
	}
	for _, f := range r.Offers {
		if f.Fixable {
			fixable++
		}
	}
	flags := ""
	if o.reverse {
		flags += "-reverse "
	}
	if o.exported {
		flags += "-exported "
	}
	if slices.Contains(r.Notes, swap.ErrNoVersion.Error()) {
		flags += "-require VERSION "
	}
	var steps []string
	switch {
	case moves > 0 && o.fix:
		steps = append(steps, "go mod tidy, then go build ./... and go test ./...")
	case moves > 0 && o.diff:
		steps = append(steps, "xexec-migrate "+flags+"-fix, with the same packages, writes this")
	case moves > 0:
		steps = append(steps, fmt.Sprintf("xexec-migrate %s-diff shows what would change, xexec-migrate %s-fix moves %s, each with the same packages", flags, flags, count(moves, "package")))
	}
	if missing > 0 {
		steps = append(steps, "go mod tidy or go mod download, and run this again")
	}
	if stays > 0 && !o.reverse {
		steps = append(steps, "what stays may stay: both packages work in one program")
	}
	if fixable > 0 && !o.reverse {
		steps = append(steps, fmt.Sprintf("xexec-migrate %s-fix -offer all rewrites %s more", flags, count(fixable, "place")))
	}
	if len(steps) == 0 && len(r.Offers) == 0 && len(r.Packages) == 0 {
		return "nothing to do"
	}
	return strings.Join(steps, "; ")
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func (m remark) String() string {
	if m.Posn == "" {
		return m.Message
	}
	return m.Posn + ": " + m.Message
}

// diffOf returns the change of a file as a diff that "patch -p0" takes.
func diffOf(wd string, f *swap.File) []byte {
	name := filepath.ToSlash(relative(wd, f.Path))
	return diff.Diff(name+".orig", f.Old, name, f.New)
}
