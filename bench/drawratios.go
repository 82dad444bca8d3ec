package main

import (
	"fmt"
	"math"
	"slices"
)

// drawRatios draws a bar for each comparison, the first on top, with the interval
// in which its ratio is, a line for os/exec, and a mark for the floor.
func (r *results) drawRatios() *drawing {
	rows := slices.DeleteFunc(slices.Clone(r.rows), func(row row) bool { return row.only })
	const left, right, top, step = 290.0, 620.0, 100.0, 24.0
	bottom := top + step*float64(len(rows))
	d := &drawing{title: "What xexec takes, for 1 that os/exec takes (less is better)", width: 900, height: bottom + 50}

	most := 1.1
	for _, row := range rows {
		most = max(most, row.ratio.hi)
	}
	most = min(math.Ceil(most*10)/10, 2) // the figures say what is beyond
	at := func(ratio float64) float64 { return left + (right-left)*min(ratio, most)/most }

	d.dot("x", 26, 54)
	d.line("x", 20, 54, 40, 54)
	d.text("", 46, 58, "start", "xexec, and its 95 % interval")
	d.line("std", 258, 46, 258, 62)
	d.text("", 266, 58, "start", "os/exec")
	d.diamond("floor", 346, 54)
	d.text("", 358, 58, "start", "the floor: vfork, exec, poll and waitpid of the same program in C")

	for tick := 0.0; tick <= most; tick += 0.25 {
		d.line("grid", at(tick), top-8, at(tick), bottom)
		d.text("dim", at(tick), top-12, "middle", fmt.Sprint(tick))
	}
	d.line("std", at(1), top-8, at(1), bottom)
	for i, row := range rows {
		y := top + step*(float64(i)+0.5)
		d.text("", left-10, y+4, "end", row.what)
		d.add(`<rect class="bar" x="%.1f" y="%.1f" width="%.1f" height="14"/>`, left, y-7, at(row.ratio.mid)-left)
		d.line("x", at(row.ratio.lo), y, at(row.ratio.hi), y)
		d.dot("x", at(row.ratio.mid), y)
		if row.floor > 0 {
			d.diamond("floor", at(row.floorsTo.mid), y)
		}
		class, verdict := "", row.verdict()
		if verdict != "" {
			class, verdict = "worse", " "+verdict
		}
		d.text(class, right+16, y+4, "start", fmt.Sprintf("%.2f (%v)%s", row.ratio.mid, row.ratio, verdict))
	}
	d.text("dim", 20, bottom+30, "start", "Medians of the rounds' ratios. "+r.machine)
	return d
}
