package main

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == selfArg {
		self(os.Args[2:])
		return
	}
	os.Exit(m.Run())
}

// Everything can be measured, is printed and can be drawn.
func TestSmoke(t *testing.T) {
	p := plan{rounds: 20, few: 1, parallel: 2, outputsAtOnce: 5, large: 2 << 20, kills: []int{5},
		crowds: []int{5, 20}, repeats: 2, repeated: 5}
	r := p.measure()
	table := r.table()
	t.Log(table)
	for _, what := range []string{"Run of true", "Output of 10 bytes, echo", "Output of 2 MB", "through cat", "kill and reap 5", r.machine} {
		if !strings.Contains(table, what) {
			t.Errorf("the table lacks %q", what)
		}
	}
	for _, row := range r.rows {
		if row.x <= 0 || !row.only && (row.std <= 0 || row.ratio.mid <= 0) {
			t.Errorf("%s was not measured: %+v", row.what, row)
		}
	}
	r.crowds = append(r.crowds, crowd{100, need{crash: "crash"}, need{threads: 20, memory: 3 << 20}})
	dir := t.TempDir()
	if err := r.draw(dir); err != nil {
		t.Fatal(err)
	}
	if threads, _ := os.ReadFile(filepath.Join(dir, "threads.svg")); !strings.Contains(string(threads), "os/exec, crash at 100<") {
		t.Error("threads.svg shows no crash")
	}
	drawings, _ := filepath.Glob(filepath.Join(dir, "*.svg"))
	if len(drawings) == 0 {
		t.Error("no drawings")
	}
	for _, name := range drawings {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for d := xml.NewDecoder(f); err == nil; _, err = d.Token() {
		}
		if err != io.EOF {
			t.Errorf("%s: %v", filepath.Base(name), err)
		}
	}
}

// What is worse than os/exec's is shown as such, printed and drawn.
func TestWorse(t *testing.T) {
	for _, test := range []struct {
		ratio interval
		want  string
	}{
		{interval{1.1, 1.02, 1.2}, "worse"},
		{interval{1.1, 0.9, 1.2}, "perhaps worse"},
		{interval{1.001, 0.9, 1.2}, ""},
		{interval{0.9, 0.8, 1.2}, ""},
	} {
		r := &results{rows: []row{{what: "a row", std: 1, x: 1, ratio: test.ratio, format: count}}}
		for _, shown := range []string{r.table(), r.drawRatios().String()} {
			got := ""
			for _, verdict := range []string{"worse", "perhaps worse"} {
				if strings.Contains(shown, verdict) {
					got = verdict
				}
			}
			if got != test.want {
				t.Errorf("%+v is shown as %q, want %q:\n%s", test.ratio, got, test.want, shown)
			}
		}
	}
}
