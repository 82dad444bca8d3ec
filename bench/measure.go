package main

import (
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/perf/benchmath"
)

// A row compares the two packages, and the floor if there is one.
type row struct {
	what            string
	std, x, floor   float64 // medians
	ratio, floorsTo interval
	format          func(float64) string
	only            bool // os/exec has no figure
	note            string
}

// An interval is a median of ratios to os/exec, and where it is with a probability
// of 95 %.
type interval struct{ mid, lo, hi float64 }

// verdict says what a reader must not overlook.
func (r row) verdict() string {
	const shown = 0.005 // it is two digits that a reader sees
	switch {
	case r.only || r.ratio.mid < 1+shown:
		return ""
	case r.ratio.lo > 1:
		return "worse"
	default:
		return "perhaps worse"
	}
}

func median(v []float64) float64 { return summary(v).mid }

// summary returns the median, and an interval in which that of all possible
// rounds is with a probability of 95 %, whatever the distribution. Where there
// are too few rounds for that, it is all of them.
func summary(v []float64) interval {
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(v), &benchmath.DefaultThresholds), 0.95)
	if math.IsInf(s.Lo, 0) || math.IsInf(s.Hi, 0) {
		s.Lo, s.Hi = slices.Min(v), slices.Max(v)
	}
	return interval{s.Center, s.Lo, s.Hi}
}

// inTurns measures both sides in every round, and the floor, if there is one.
func inTurns(what string, rounds int, format func(float64) string, f func(side) float64, floor ...func() float64) row {
	var a, b, floors []float64
	turns := []func(){
		func() { a = append(a, f(std)) },
		func() { b = append(b, f(x)) },
	}
	for _, f := range floor {
		turns = append(turns, func() { floors = append(floors, f()) })
	}
	alternate(rounds, turns...)
	return compare(what, format, a, b, floors)
}

// alternate takes the turns in every round, and turns their order around from one to
// the next.
func alternate(rounds int, turns ...func()) {
	for range rounds {
		for _, turn := range turns {
			turn()
		}
		slices.Reverse(turns)
	}
}

// compare makes a row of what was measured, round by round.
func compare(what string, format func(float64) string, std, x, floor []float64) row {
	r := row{what: what, std: median(std), x: median(x), ratio: ratio(x, std), format: format}
	if floor != nil {
		r.floor, r.floorsTo = median(floor), ratio(floor, std)
	}
	return r
}

func ratio(v, to []float64) interval {
	ratios := make([]float64, len(v))
	for i := range v {
		ratios[i] = v[i] / to[i]
	}
	return summary(ratios)
}

func seconds(f func()) float64 {
	start := time.Now()
	f()
	return time.Since(start).Seconds()
}

func atOnce(n int, f func()) {
	var all sync.WaitGroup
	for range n {
		all.Go(f)
	}
	all.Wait()
}
