package swap

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// An edit replaces the bytes [start, end) of a file.
type edit struct {
	start, end int
	text       string
}

// A change is a set of edits to one file that belong together, with the imports
// they need (path to name).
type change struct {
	edits   []edit
	imports map[string]string
	names   []string // variables that it declares beside existing ones
	decl    bool     // gives variables their types, and so comes before what uses them
}

func (c change) key() string {
	var b strings.Builder
	for _, e := range c.edits {
		fmt.Fprintf(&b, "%d-%d:%q;", e.start, e.end, e.text)
	}
	return b.String()
}

func (c change) span() int {
	lo, hi := c.edits[0].start, c.edits[0].end
	for _, e := range c.edits {
		lo, hi = min(lo, e.start), max(hi, e.end)
	}
	return hi - lo
}

// selectChanges returns the changes that can be made together, inner ones
// first. What is left over touches one of them and is found again afterwards.
func selectChanges(changes []change) []change {
	slices.SortStableFunc(changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.span(), b.span()), cmp.Compare(a.edits[0].start, b.edits[0].start), cmp.Compare(a.key(), b.key()))
	})
	var taken []change
	var edits []edit
	seen := make(map[string]bool)
	declared := make(map[string]bool)
next:
	for _, c := range changes {
		if seen[c.key()] {
			continue
		}
		for _, name := range c.names {
			if declared[name] {
				continue next // the next round finds another name
			}
		}
		for _, e := range c.edits {
			for _, t := range edits {
				if e.start <= t.end && t.start <= e.end {
					continue next
				}
			}
		}
		for _, name := range c.names {
			declared[name] = true
		}
		seen[c.key()] = true
		taken = append(taken, c)
		edits = append(edits, c.edits...)
	}
	return taken
}

// apply makes the edits, which do not overlap.
func apply(src []byte, edits []edit) []byte {
	edits = slices.SortedFunc(slices.Values(edits), func(a, b edit) int { return cmp.Compare(a.start, b.start) })
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(out, src[at:e.start]...)
		out = append(out, e.text...)
		at = e.end
	}
	return append(out, src[at:]...)
}

// before returns where offset off of the edited text was in the text before the
// edits, or the start of the edit it is inside of.
func before(off int, edits []edit) int {
	edits = slices.SortedFunc(slices.Values(edits), func(a, b edit) int { return cmp.Compare(a.start, b.start) })
	shift := 0 // new minus old
	for _, e := range edits {
		if off < e.start+shift {
			break
		}
		if off < e.start+shift+len(e.text) {
			return e.start
		}
		shift += len(e.text) - (e.end - e.start)
	}
	return off - shift
}

// A draft is a file's text on its way, with the edits that led there.
type draft struct {
	original []byte
	text     []byte
	rounds   [][]edit
	made     map[string]bool // variables that conversions introduced
	gofmt    *bool           // what formatted found
}

func (d *draft) apply(edits []edit) {
	if len(edits) > 0 {
		if bytes.Contains(d.original, []byte("\r\n")) {
			for i := range edits {
				text := strings.ReplaceAll(edits[i].text, "\r\n", "\n")
				edits[i].text = strings.ReplaceAll(text, "\n", "\r\n")
			}
		}
		d.text = apply(d.text, edits)
		d.rounds = append(d.rounds, edits)
	}
}

// formatted reports whether gofmt leaves the original as it is.
func (d *draft) formatted() bool {
	if d.gofmt == nil {
		is := isFormatted(d.original)
		d.gofmt = &is
	}
	return *d.gofmt
}

// origin returns where an offset of the text was in the original.
func (d *draft) origin(off int) int {
	for _, edits := range slices.Backward(d.rounds) {
		off = before(off, edits)
	}
	return max(0, min(off, len(d.original)))
}
