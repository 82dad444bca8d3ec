package main

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"golang.org/x/perf/benchmath"

	"example.com/xexec"
)

// A row compares the two packages, and the floor if there is one.
type row struct {
	what           string
	std, x, floor  float64 // medians
	ratio, lo, hi  float64 // of xexec to os/exec, median of the rounds and its 95 % interval
	format         func(float64) string
	hasFloor, only bool // only: os/exec has no figure
	note           string
}

type results struct {
	machine string
	rows    []row
	crowds  []crowd
}

// cmdLike is what is used of the commands of both packages.
type cmdLike interface {
	Start() error
	Wait() error
	Run() error
	Output() ([]byte, error)
}

// A side is one of the packages.
type side struct {
	name    string
	command func(name string, arg ...string) cmdLike
	kill    func(cmdLike) error
	process func(cmdLike) *os.Process
}

var (
	std = side{"os/exec",
		func(name string, arg ...string) cmdLike { return exec.Command(name, arg...) },
		func(c cmdLike) error { return c.(*exec.Cmd).Process.Kill() },
		func(c cmdLike) *os.Process { return c.(*exec.Cmd).Process }}
	x = side{"xexec",
		func(name string, arg ...string) cmdLike { return xexec.Command(name, arg...) },
		func(c cmdLike) error { return c.(*xexec.Cmd).Kill() },
		func(c cmdLike) *os.Process { return c.(*xexec.Cmd).Process }}
)

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must2[T, U any](v T, u U, err error) (T, U) {
	check(err)
	return v, u
}

func median(v []float64) float64 { return summary(v).Center }

// summary returns the median, and an interval in which that of all possible
// rounds is with a probability of 95 %, whatever the distribution. Where there
// are too few rounds for that, it is all of them.
func summary(v []float64) benchmath.Summary {
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(v), &benchmath.DefaultThresholds), 0.95)
	if math.IsInf(s.Lo, 0) || math.IsInf(s.Hi, 0) {
		s.Lo, s.Hi = slices.Min(v), slices.Max(v)
	}
	return s
}

// inTurns measures both sides in every round, each first in every other one, and
// the floor, if there is one.
func inTurns(what string, rounds int, format func(float64) string, f func(side) float64, floor ...func() float64) row {
	var a, b, floors []float64
	for i := range rounds {
		var s, t float64
		if i%2 == 0 {
			s = f(std)
			t = f(x)
		} else {
			t = f(x)
			s = f(std)
		}
		a, b = append(a, s), append(b, t)
		for _, f := range floor {
			floors = append(floors, f())
		}
	}
	r := compare(what, format, a, b)
	if floors != nil {
		r.floor, r.hasFloor = median(floors), true
	}
	return r
}

// compare makes a row of what was measured, round by round.
func compare(what string, format func(float64) string, std, x []float64) row {
	ratios := make([]float64, len(x))
	for i := range x {
		ratios[i] = x[i] / std[i]
	}
	ratio := summary(ratios)
	return row{what: what, std: median(std), x: median(x), ratio: ratio.Center, lo: ratio.Lo, hi: ratio.Hi, format: format}
}

func seconds(f func()) float64 {
	start := time.Now()
	f()
	return time.Since(start).Seconds()
}

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

func (p plan) measure() *results {
	r := &results{machine: machine()}
	add := func(rows ...row) { r.rows = append(r.rows, rows...) }
	trueProgram := must(exec.LookPath("true"))

	echo := must(exec.LookPath("echo"))

	spawn, floor := newFloor(trueProgram)
	add(inTurns("Run of true", p.rounds, duration, func(s side) float64 {
		return seconds(func() { check(s.command(trueProgram).Run()) })
	}, spawn))
	r.rows[0].note = "floor: " + floor
	add(inTurns(fmt.Sprintf("%d Runs at once", p.parallel), p.rounds/10, duration, func(s side) float64 {
		return seconds(func() {
			atOnce(p.parallel, func(int) { check(s.command(trueProgram).Run()) })
		})
	}))
	add(inTurns("allocations of a Run", 3, count, func(s side) float64 {
		return allocations(50, func() { check(s.command(trueProgram).Run()) })
	}))
	add(inTurns("from exit to Wait's return", p.rounds, duration, exitToWait))
	add(inTurns("Output of 10 bytes", p.rounds, duration, func(s side) float64 {
		return seconds(func() { must(s.command(echo, "123456789").Output()) })
	}))
	add(inTurns("allocations of an Output", 3, count, func(s side) float64 {
		return allocations(50, func() { must(s.command(echo, "123456789").Output()) })
	}))
	add(p.largeOutput()...)
	add(inTurns(fmt.Sprintf("kill and reap %d that are waited for", p.mass), 3*p.few, duration, p.killAll))
	add(row{what: "release of 1000 waiters of one child", only: true, note: "a second Wait fails",
		x: oneChild(p.few), format: duration})
	if hasProc() {
		r.crowds = p.measureCrowds()
		add(p.repeat())
	}
	return r
}

func atOnce(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

func allocations(runs int, f func()) float64 {
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / uint64(runs))
}

// exitToWait lets a goroutine settle in Wait before its child is killed, by the
// same means for both sides: it is not the killing that is measured.
func exitToWait(s side) float64 {
	c := s.command("sleep", "1000")
	check(c.Start())
	done := make(chan time.Time)
	go func() {
		c.Wait()
		done <- time.Now()
	}()
	time.Sleep(3 * time.Millisecond)
	start := time.Now()
	check(s.process(c).Kill())
	return (<-done).Sub(start).Seconds()
}

// killAll kills children that have a waiter each.
func (p plan) killAll(s side) float64 {
	cmds := startAll(s, p.mass)
	waiters := awaitAll(cmds)
	time.Sleep(time.Duration(p.mass) * time.Millisecond / 2)
	return seconds(func() {
		for _, c := range cmds {
			check(s.kill(c))
		}
		waiters.Wait()
	})
}

func startAll(s side, n int) []cmdLike {
	cmds := make([]cmdLike, n)
	for i := range cmds {
		cmds[i] = s.command("sleep", "1000")
		check(cmds[i].Start())
	}
	return cmds
}

// awaitAll lets a goroutine wait for each.
func awaitAll(cmds []cmdLike) *sync.WaitGroup {
	waiters := new(sync.WaitGroup)
	for _, c := range cmds {
		waiters.Go(func() { c.Wait() })
	}
	return waiters
}

// oneChild measures the time from the first of 1000 waiters that returns to the
// last.
func oneChild(rounds int) float64 {
	var times []float64
	for range rounds {
		c := xexec.Command("sleep", "1000")
		check(c.Start())
		const n = 1000
		done := make(chan time.Time, n)
		for range n {
			go func() {
				c.Wait()
				done <- time.Now()
			}()
		}
		time.Sleep(50 * time.Millisecond)
		check(c.Kill())
		returned := make([]time.Time, n)
		for i := range returned {
			returned[i] = <-done
		}
		slices.SortFunc(returned, time.Time.Compare)
		times = append(times, returned[n-1].Sub(returned[0]).Seconds())
	}
	return median(times)
}

func (r *results) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.machine)
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "median\tos/exec\txexec\tratio\t95 %%\tfloor\n")
	for _, row := range r.rows {
		if row.only {
			fmt.Fprintf(w, "%s\t-\t%s\t\t\t\t%s\n", row.what, row.format(row.x), row.note)
			continue
		}
		floor := ""
		if row.hasFloor {
			floor = row.format(row.floor)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.3f\t%.3f to %.3f\t%s\t%s\n",
			row.what, row.format(row.std), row.format(row.x), row.ratio, row.lo, row.hi, floor, row.note)
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
