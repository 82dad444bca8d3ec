package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"time"

	"example.com/xexec"
)

type results struct {
	machine string
	rows    []row
	crowds  []crowd
}

func (p plan) measure() *results {
	r := &results{machine: machine()}
	dir := must(os.MkdirTemp("", "bench"))
	defer os.RemoveAll(dir)
	cs := newCommands(dir)
	r.rows = slices.Concat(p.runs(cs), p.outputs(cs), p.largeOutput(), p.ends())
	if hasProc() {
		r.rows = append(r.rows, p.outputThreads()...)
		r.crowds = p.measureCrowds()
		r.rows = append(r.rows, p.repeat())
	}
	return r
}

// commands are what is run.
type commands struct {
	floor                    floor
	exit, echo, static, true []string // static writes 10 bytes, as echo does
	leave                    []string // what it leaves behind holds its output
	write                    func(n int) []string
}

func newCommands(dir string) commands {
	find := func(name string, args ...string) []string {
		return append([]string{must(exec.LookPath(name))}, args...)
	}
	c := commands{
		floor: floor(compiled(dir, "floor")),
		true:  find("true"),
		echo:  find("echo", "123456789"),
		leave: find("sh", "-c", "(sleep 0.001; echo 123456789) &"),
		write: func(n int) []string { return find("head", "-c", strconv.Itoa(n), "/dev/zero") },
	}
	if child := compiled(dir, "child", "-static"); child != "" {
		c.exit, c.leave = []string{child}, []string{child, "leave"}
		c.write = func(n int) []string { return []string{child, "write", strconv.Itoa(n)} }
		c.static = c.write(10)
	}
	return c
}

func (p plan) runs(cs commands) (rows []row) {
	run := func(name string, args []string) {
		if args != nil {
			rows = append(rows, inTurns("Run of "+name, p.rounds, duration, func(s side) float64 {
				return seconds(func() { s.run(args) })
			}, cs.floor.of("run", args)...))
		}
	}
	run("a static program", cs.exit)
	run("true", cs.true)
	run("echo", cs.echo)
	return append(rows,
		inTurns(fmt.Sprintf("%d Runs at once", p.parallel), p.rounds/20, duration, func(s side) float64 {
			return seconds(func() { atOnce(p.parallel, func() { s.run(cs.true) }) })
		}),
		inTurns("allocations of a Run", 3, count, func(s side) float64 {
			return allocations(50, func() { s.run(cs.true) })
		}))
}

func (p plan) outputs(cs commands) (rows []row) {
	output := func(name string, args []string) {
		if args != nil {
			rows = append(rows, inTurns("Output of 10 bytes, "+name, p.rounds, duration, func(s side) float64 {
				return seconds(func() { s.output(args) })
			}, cs.floor.of("output", args)...))
		}
	}
	output("a static program", cs.static)
	output("echo", cs.echo)
	ten, in := cs.write(10), make([]byte, 100)
	cat := []string{must(exec.LookPath("cat"))}
	rows = append(rows,
		inTurns(fmt.Sprintf("%d Outputs of 10 bytes at once", p.parallel), p.rounds/20, duration, func(s side) float64 {
			return seconds(func() { atOnce(p.parallel, func() { s.output(ten) }) })
		}),
		inTurns("allocations of an Output", 3, count, func(s side) float64 {
			return allocations(50, func() { s.output(cs.echo) })
		}))
	if ownCPU() > 0 {
		rows = append(rows, inTurns("own CPU of an Output of 10 bytes", p.rounds/10, duration, func(s side) float64 {
			const n = 20
			before := ownCPU()
			for range n {
				s.output(ten)
			}
			return (ownCPU() - before) / n
		}))
	}
	for _, size := range []struct {
		name  string
		bytes int
	}{{"64 KiB", 64 << 10}, {"1 MiB", 1 << 20}} {
		args := cs.write(size.bytes)
		rows = append(rows, inTurns("Output of "+size.name, p.rounds/10, duration, func(s side) float64 {
			runtime.GC() // each side pays for its own garbage
			const n = 8
			return seconds(func() {
				for range n {
					s.output(args)
				}
			}) / n
		}))
	}
	handedOver := inTurns("Output that a grandchild holds open", p.rounds/2, duration, func(s side) float64 {
		return seconds(func() { s.output(cs.leave) })
	})
	handedOver.note = "a sleep of the grandchild's is in both"
	return append(rows,
		inTurns("100 bytes through cat", p.rounds, duration, func(s side) float64 {
			return seconds(func() { s.outputOf(bytes.NewReader(in), cat) })
		}),
		handedOver)
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

// ends measures from a child's death on.
func (p plan) ends() []row {
	rows := []row{inTurns("from exit to Wait's return", p.rounds/4, duration, exitToWait)}
	for _, n := range p.kills {
		rows = append(rows, p.kill(n)...)
	}
	return append(rows, row{what: "release of 1000 waiters of one child", only: true, note: "a second Wait fails",
		x: oneChild(p.few), format: duration})
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
	check(s.cmd(c).Process.Kill())
	return (<-done).Sub(start).Seconds()
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
