package main

import (
	"bytes"
	"cmp"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var (
	stdColor = color.RGBA{R: 0xb3, G: 0x59, A: 0xff}
	xColor   = color.RGBA{G: 0x68, B: 0x7a, A: 0xff}
	faint    = color.Gray{Y: 0xdd}
)

// draw draws what was measured into files of the directory.
func (r *results) draw(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	plots := map[string]*plot.Plot{"ratios.svg": r.drawRatios()}
	if len(r.crowds) > 0 {
		plots["threads.svg"] = r.drawCrowds("Threads while children are waited for",
			func(n need) float64 { return float64(n.threads) })
		plots["memory.svg"] = r.drawCrowds("Memory (MB) for children that are waited for",
			func(n need) float64 { return float64(n.memory) / 1e6 })
	}
	for name, p := range plots {
		height := 4 * vg.Inch
		if name == "ratios.svg" {
			height = font.Length(len(r.compared())+4) * vg.Centimeter * 0.75
		}
		var svg bytes.Buffer
		if _, err := must(p.WriterTo(6.5*vg.Inch, height, "svg")).WriteTo(&svg); err != nil {
			return err
		}
		// Where there is no Liberation Sans, these are as wide.
		fonts := bytes.ReplaceAll(svg.Bytes(), []byte("font-family:Liberation Sans"),
			[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif"))
		if err := os.WriteFile(filepath.Join(dir, name), fonts, 0o666); err != nil {
			return err
		}
	}
	return nil
}

func (r *results) newPlot(title, x string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.Title.Padding = title, vg.Points(10)
	p.X.Label.Text = x + "\n" + r.machine
	p.X.Label.TextStyle.Font.Size = vg.Points(9)
	p.BackgroundColor = color.White
	for _, style := range []*draw.TextStyle{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle,
	} {
		style.Font.Variant = "Sans"
	}
	return p
}

// drawCrowds draws two curves over the number of children, on logarithmic axes.
func (r *results) drawCrowds(title string, value func(need) float64) *plot.Plot {
	p := r.newPlot(title, "children")
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.Y.Tick.Marker = plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	var ticks plot.ConstantTicks
	for _, c := range r.crowds {
		ticks = append(ticks, plot.Tick{Value: float64(c.children), Label: fmt.Sprint(c.children)})
	}
	p.X.Tick.Marker = ticks
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, faint
	p.Add(grid)
	most := 0.0
	for _, side := range []struct {
		name  string
		color color.Color
		of    func(crowd) need
	}{
		{std.name, stdColor, func(c crowd) need { return c.std }},
		{x.name, xColor, func(c crowd) need { return c.x }},
	} {
		var points plotter.XYs
		crash := ""
		for _, c := range r.crowds {
			if n := side.of(c); n.crash == "" {
				points = append(points, plotter.XY{X: float64(c.children), Y: value(n)})
				most = max(most, value(n))
			} else {
				crash = cmp.Or(crash, fmt.Sprintf(", %s at %d", n.crash, c.children))
			}
		}
		line, dots := must2(plotter.NewLinePoints(points))
		line.Color, line.Width = side.color, vg.Points(1.5)
		dots.Color, dots.Shape = side.color, draw.CircleGlyph{}
		p.Add(line, dots)
		p.Legend.Add(side.name+crash, line, dots)
	}
	p.X.Max = float64(r.crowds[len(r.crowds)-1].children)
	p.Y.Max = math.Pow(10, math.Ceil(math.Log10(most)))
	return p
}

// compared returns the rows that have a ratio.
func (r *results) compared() []row {
	return slices.DeleteFunc(slices.Clone(r.rows), func(row row) bool { return row.only })
}

// drawRatios draws a bar for each comparison, the first on top, with the interval
// in which its ratio is.
func (r *results) drawRatios() *plot.Plot {
	p := r.newPlot("What xexec takes, for 1 that os/exec takes (less is better)", "median ratio, and its 95 % interval")
	rows := r.compared()
	slices.Reverse(rows)
	var ratios plotter.Values
	var intervals struct {
		plotter.XYs
		plotter.XErrors
	}
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = fmt.Sprintf("%s: %.2f", row.what, row.ratio)
		ratios = append(ratios, row.ratio)
		intervals.XYs = append(intervals.XYs, plotter.XY{X: row.ratio, Y: float64(i)})
		intervals.XErrors = append(intervals.XErrors, struct{ Low, High float64 }{row.lo - row.ratio, row.hi - row.ratio})
	}
	bars := must(plotter.NewBarChart(ratios, vg.Points(12)))
	bars.Horizontal, bars.Color, bars.LineStyle.Width = true, xColor, 0
	one := must(plotter.NewLine(plotter.XYs{{X: 1, Y: -0.5}, {X: 1, Y: float64(len(rows)) - 0.5}}))
	one.Color, one.Width = stdColor, vg.Points(1.5)
	p.Add(bars, one, must(plotter.NewXErrorBars(intervals)))
	p.NominalY(names...)
	p.X.Min = 0
	return p
}
