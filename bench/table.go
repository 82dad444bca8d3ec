package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

func duration(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < 10*time.Millisecond:
		return d.Round(time.Microsecond).String()
	default:
		return d.Round(100 * time.Microsecond).String()
	}
}

func count(n float64) string { return fmt.Sprint(int(n)) }

func megabytes(n float64) string { return fmt.Sprintf("%.0f MB", n/1e6) }

func (i interval) String() string { return fmt.Sprintf("%.2f to %.2f", i.lo, i.hi) }

func (r *results) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.machine)
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "median\tos/exec\txexec\tratio\t95 %%\t\tfloor in C\tratio\t95 %%\n")
	for _, row := range r.rows {
		if row.only {
			fmt.Fprintf(w, "%s\t-\t%s\t\t\t\t\t\t\t%s\n", row.what, row.format(row.x), row.note)
			continue
		}
		floor := "\t\t"
		if row.floor > 0 {
			floor = fmt.Sprintf("%s\t%.2f\t%v", row.format(row.floor), row.floorsTo.mid, row.floorsTo)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.2f\t%v\t%s\t%s\t%s\n", row.what, row.format(row.std), row.format(row.x),
			row.ratio.mid, row.ratio, row.verdict(), floor, row.note)
	}
	fmt.Fprintln(w)
	if len(r.crowds) > 0 {
		fmt.Fprintf(w, "children that are waited for\tthreads\txexec\tmemory\txexec\tdescriptors more\txexec\n")
	}
	for _, c := range r.crowds {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", c.children,
			cmp.Or(c.std.crash, fmt.Sprint(c.std.threads)), cmp.Or(c.x.crash, fmt.Sprint(c.x.threads)),
			cmp.Or(c.std.crash, megabytes(float64(c.std.memory))), cmp.Or(c.x.crash, megabytes(float64(c.x.memory))),
			cmp.Or(c.std.crash, fmt.Sprint(c.std.files)), cmp.Or(c.x.crash, fmt.Sprint(c.x.files)))
	}
	w.Flush()
	return b.String()
}
