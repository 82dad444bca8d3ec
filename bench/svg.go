package main

import (
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"strings"
)

const (
	stdColor = "#b35900"
	xColor   = "#00687a"
	ink      = "#333333"
	faint    = "#dddddd"
)

// A drawing is an SVG in the making.
type drawing struct {
	strings.Builder
	width, height int
}

func newDrawing(width, height int, title string) *drawing {
	d := &drawing{width: width, height: height}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", width, height)
	fmt.Fprintf(d, `<title>%s</title><rect width="100%%" height="100%%" fill="white"/>`+"\n", html.EscapeString(title))
	d.text(float64(width)/2, 22, "middle", ink, title)
	return d
}

func (d *drawing) text(x, y float64, anchor, color, s string) {
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, anchor, color, html.EscapeString(s))
}

func (d *drawing) line(x1, y1, x2, y2 float64, color string) {
	fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, color)
}

func (d *drawing) save(dir, name string) error {
	d.WriteString("</svg>\n")
	return os.WriteFile(filepath.Join(dir, name), []byte(d.String()), 0o666)
}

func (r *results) draw(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if len(r.crowds) > 0 {
		threads := func(n need) float64 { return float64(n.threads) }
		memory := func(n need) float64 { return float64(n.memory) / 1e6 }
		if err := r.drawCrowds("Threads while children are waited for", threads).save(dir, "threads.svg"); err != nil {
			return err
		}
		if err := r.drawCrowds("Memory (MB) while children are waited for", memory).save(dir, "memory.svg"); err != nil {
			return err
		}
	}
	return r.drawRatios().save(dir, "ratios.svg")
}

// drawCrowds draws two curves over the number of children, on logarithmic axes.
func (r *results) drawCrowds(title string, value func(need) float64) *drawing {
	d := newDrawing(560, 360, title)
	const left, right, top, bottom = 70, 530, 45, 290
	lo, hi := math.Inf(1), 0.0
	for _, c := range r.crowds {
		for _, n := range []need{c.std, c.x} {
			if n.crash == "" {
				lo, hi = min(lo, value(n)), max(hi, value(n))
			}
		}
	}
	lo, hi = math.Floor(math.Log10(lo)), math.Ceil(math.Log10(hi))
	from := math.Log10(float64(r.crowds[0].children))
	to := math.Log10(float64(r.crowds[len(r.crowds)-1].children))
	xAt := func(n int) float64 { return left + (math.Log10(float64(n))-from)/(to-from)*(right-left) }
	yAt := func(v float64) float64 { return bottom - (math.Log10(v)-lo)/(hi-lo)*(bottom-top) }
	for e := lo; e <= hi; e++ {
		y := yAt(math.Pow(10, e))
		d.line(left, y, right, y, faint)
		d.text(left-8, y+4, "end", ink, fmt.Sprint(int(math.Pow(10, e))))
	}
	for _, c := range r.crowds {
		d.text(xAt(c.children), bottom+18, "middle", ink, fmt.Sprint(c.children))
	}
	d.text((left+right)/2, bottom+38, "middle", ink, "children")
	curve := func(color string, get func(crowd) need) {
		var points []string
		for _, c := range r.crowds {
			n := get(c)
			if n.crash != "" {
				d.text(xAt(c.children), top+4, "end", color, "✕ "+n.crash)
				continue
			}
			x, y := xAt(c.children), yAt(value(n))
			points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
			fmt.Fprintf(d, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", x, y, color)
		}
		fmt.Fprintf(d, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), color)
	}
	curve(stdColor, func(c crowd) need { return c.std })
	curve(xColor, func(c crowd) need { return c.x })
	d.text(left+20, bottom+38, "start", stdColor, "■ os/exec")
	d.text(right-20, bottom+38, "end", xColor, "■ xexec")
	d.text(560.0/2, 350, "middle", "#777777", r.machine)
	return d
}

// drawRatios draws a bar for each comparison.
func (r *results) drawRatios() *drawing {
	var rows []row
	for _, row := range r.rows {
		if !row.only {
			rows = append(rows, row)
		}
	}
	const left, scale, top, step = 250, 230, 45, 26
	d := newDrawing(560, top+step*len(rows)+55, "xexec's share of what os/exec takes (median ratio; less is better)")
	for i, row := range rows {
		y := float64(top + step*i)
		d.text(left-8, y+15, "end", ink, row.what)
		color := xColor
		if row.ratio > 1.05 {
			color = stdColor
		}
		fmt.Fprintf(d, `<rect x="%d" y="%.1f" width="%.1f" height="18" fill="%s"/>`+"\n", left, y+2, min(row.ratio, 1.2)*scale, color)
		d.text(left+min(row.ratio, 1.2)*scale+5, y+15, "start", ink, fmt.Sprintf("%.2f", row.ratio))
	}
	d.line(left+scale, top-4, left+scale, float64(top+step*len(rows)+4), ink)
	d.text(left+scale, float64(top+step*len(rows)+20), "middle", ink, "os/exec")
	d.text(560/2, float64(top+step*len(rows)+42), "middle", "#777777", r.machine)
	return d
}
