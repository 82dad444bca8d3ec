package main

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
)

// style has colours for light pages and for dark ones. The drawing has its own
// background: what is read is right even where the page is not what the browser
// says.
const style = `
text { font-family: system-ui, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 13px; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.dim { font-size: 11px; fill: #59636e }
.worse { fill: #b3261e; font-weight: 600 }
.paper { fill: #fff; stroke: #d1d9e0 }
.grid { stroke: #d1d9e0 }
.std { stroke: #b35900; stroke-width: 2 }
.x { stroke: #00687a; stroke-width: 2 }
circle.std { fill: #b35900 }
circle.x { fill: #00687a }
.bar { fill: #00687a; fill-opacity: .3 }
.floor { fill: #1f2328; stroke: #fff }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.dim { fill: #9198a1 }
.worse { fill: #ff8f86 }
.paper { fill: #0d1117; stroke: #3d444d }
.grid { stroke: #3d444d }
.std { stroke: #ffa24d }
.x { stroke: #4cc8dc }
circle.std { fill: #ffa24d }
circle.x { fill: #4cc8dc }
.bar { fill: #4cc8dc }
.floor { fill: #e6edf3; stroke: #0d1117 }
}
`

// A drawing is an SVG document. What it consists of has a class of the style.
type drawing struct {
	title         string
	width, height float64
	strings.Builder
}

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

// text writes s from x on, or up to it: anchor is "start", "middle" or "end".
func (d *drawing) text(class string, x, y float64, anchor, s string) {
	d.add(`<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, class, x, y, anchor, html.EscapeString(s))
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	d.add(`<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, x1, y1, x2, y2)
}

func (d *drawing) dot(class string, x, y float64) {
	d.add(`<circle class="%s" cx="%.1f" cy="%.1f" r="4"/>`, class, x, y)
}

func (d *drawing) diamond(class string, x, y float64) {
	d.add(`<path class="%s" d="M%.1f %.1fl6 6l-6 6l-6 -6z"/>`, class, x, y-6)
}

func (d *drawing) svg() string {
	title := html.EscapeString(d.title)
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%[1]g" height="%[2]g" role="img" aria-label="%[3]s">
<title>%[3]s</title>
<style>%[4]s</style>
<rect class="paper" x=".5" y=".5" width="%[5]g" height="%[6]g" rx="6"/>
<text class="title" x="20" y="30">%[3]s</text>
%[7]s</svg>
`, d.width, d.height, title, style, d.width-1, d.height-1, d.String())
}

// draw draws what was measured into files of the directory.
func (r *results) draw(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	drawings := map[string]*drawing{"ratios.svg": r.drawRatios()}
	if len(r.crowds) > 0 {
		drawings["threads.svg"] = r.drawCrowds("Threads while children are waited for",
			func(n need) float64 { return float64(n.threads) })
		drawings["memory.svg"] = r.drawCrowds("Memory (MB) for children that are waited for",
			func(n need) float64 { return float64(n.memory) / 1e6 })
	}
	for name, d := range drawings {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(d.svg()), 0o666); err != nil {
			return err
		}
	}
	return nil
}
