package main

import (
	"cmp"
	"fmt"
	"math"
)

// drawCrowds draws two curves over the number of children, on logarithmic axes.
func (r *results) drawCrowds(title string, value func(need) float64) *drawing {
	const left, right, top, bottom = 70.0, 680.0, 110.0, 370.0
	d := &drawing{title: title, width: 720, height: bottom + 70}
	sides := []struct {
		class, name string
		of          func(crowd) need
	}{
		{"std", std.name, func(c crowd) need { return c.std }},
		{"x", x.name, func(c crowd) need { return c.x }},
	}

	least, most := math.Inf(1), 0.0
	for _, c := range r.crowds {
		for _, s := range sides {
			if n := s.of(c); n.crash == "" {
				least, most = min(least, value(n)), max(most, value(n))
			}
		}
	}
	low, high := math.Floor(math.Log10(least*0.7)), math.Ceil(math.Log10(most))
	across := scale(math.Log10(float64(r.crowds[0].children)),
		math.Log10(float64(r.crowds[len(r.crowds)-1].children)), left+20, right)
	up := scale(low, high, bottom, top)
	for e := low; e <= high; e++ {
		y := up(math.Pow(10, e))
		d.line("grid", left, y, right, y)
		d.text("dim", left-8, y+4, "end", fmt.Sprint(math.Pow(10, e)))
	}
	for _, c := range r.crowds {
		d.text("dim", across(float64(c.children)), bottom+20, "middle", fmt.Sprint(c.children))
	}
	for i, s := range sides {
		crash, points := "", ""
		for _, c := range r.crowds {
			n := s.of(c)
			if n.crash != "" {
				crash = cmp.Or(crash, fmt.Sprintf(", %s at %d", n.crash, c.children))
				continue
			}
			x, y := across(float64(c.children)), up(value(n))
			points += fmt.Sprintf("%.1f,%.1f ", x, y)
			d.dot(s.class, x, y)
			label := y + 20
			if other := value(sides[1-i].of(c)); value(n) > other || value(n) == other && i == 0 {
				label = y - 10
			}
			d.text("dim", x, label, "middle", short(value(n)))
		}
		d.add(`<polyline class="%s" points="%s" style="fill:none"/>`, s.class, points)
		legend := 20 + 200*float64(i)
		d.line(s.class, legend, 56, legend+24, 56)
		d.dot(s.class, legend+12, 56)
		d.text("", legend+32, 60, "start", s.name+crash)
	}
	d.text("dim", (left+right)/2, bottom+38, "middle", "children")
	d.text("dim", 20, bottom+58, "start", r.machine)
	return d
}

// short writes two digits or more.
func short(v float64) string {
	if v < 10 {
		return fmt.Sprint(math.Round(v*10) / 10)
	}
	return fmt.Sprintf("%.0f", v)
}

// scale maps logarithms from low to high to the range of positions.
func scale(low, high, from, to float64) func(float64) float64 {
	return func(v float64) float64 { return from + (to-from)*(math.Log10(v)-low)/(high-low) }
}
