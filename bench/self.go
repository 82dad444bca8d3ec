package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What is measured of a whole process is measured in one of its own: this
// program, with selfArg as its first argument. It prints a sample.
const selfArg = "measure-yourself"

type sample struct {
	Seconds float64
	CPU     float64 // seconds, without the children's
	Peak    int     // bytes of memory
	Memory  int     // bytes of memory more than before the children
	Files   int     // descriptors that are open on account of the waiting
	Threads []int   // one for each round
}

func self(args []string) {
	s := std
	if args[0] == x.name {
		s = x
	}
	n := must(strconv.Atoi(args[2]))
	var out sample
	switch args[1] {
	case "output":
		out.Seconds = seconds(func() {
			if got := len(s.output([]string{"head", "-c", args[2], "/dev/zero"})); got != n {
				panic(got)
			}
		})
		out.Peak = status("VmHWM") << 10
	case "outputs":
		r, w := pipe()
		done := make(chan struct{})
		go func() {
			atOnce(n, func() { s.outputOf(r, []string{"cat"}) })
			close(done)
		}()
		for descriptors() < 2*n { // two pipes each
			time.Sleep(time.Millisecond)
		}
		settle()
		out.Threads = []int{status("Threads")}
		w.Close()
		<-done
	case "kill":
		cmds := startAll(s, n)
		waiters := awaitAll(cmds)
		settle()
		cpu := ownCPU()
		out.Seconds = seconds(func() { killAll(s, cmds, waiters) })
		out.CPU = ownCPU() - cpu
	case "crowd":
		before := status("VmRSS")
		for range must(strconv.Atoi(args[3])) {
			cmds := startAll(s, n)
			files := descriptors()
			waiters := awaitAll(cmds)
			settle()
			out.Files = descriptors() - files
			out.Threads = append(out.Threads, status("Threads"))
			out.Memory = max(status("VmRSS")-before, 1) << 10
			killAll(s, cmds, waiters)
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(out))
}

func startAll(s side, n int) []command {
	cmds := make([]command, n)
	for i := range cmds {
		cmds[i] = s.command("sleep", "1000")
		check(cmds[i].Start())
	}
	return cmds
}

// awaitAll lets a goroutine wait for each.
func awaitAll(cmds []command) *sync.WaitGroup {
	waiters := new(sync.WaitGroup)
	for _, c := range cmds {
		waiters.Go(func() { c.Wait() })
	}
	return waiters
}

func killAll(s side, cmds []command, waiters *sync.WaitGroup) {
	for _, c := range cmds {
		check(s.kill(c))
	}
	waiters.Wait()
}

// settle returns when the numbers of threads and descriptors no longer change.
func settle() {
	for last, same := [2]int{}, 0; same < 5; time.Sleep(20 * time.Millisecond) {
		now := [2]int{status("Threads"), descriptors()}
		if now != last {
			same = 0
		}
		last, same = now, same+1
	}
}

// measureSelf runs the program for a sample.
func measureSelf(s side, args ...string) (out sample, err error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(must(os.Executable()), append([]string{selfArg, s.name}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	endWithParent(cmd)
	if err := cmd.Run(); err != nil {
		reason, _, _ := strings.Cut(stderr.String(), "\n")
		killOrphans(cmd)
		return out, fmt.Errorf("%w: %s", err, reason)
	}
	return out, json.Unmarshal(stdout.Bytes(), &out)
}

func pipe() (r, w *os.File) {
	r, w, err := os.Pipe()
	check(err)
	return r, w
}

func descriptors() int {
	fds, _ := os.ReadDir("/proc/self/fd")
	return len(fds)
}

func hasProc() bool { return status("Threads") > 0 }

// status returns a number from /proc/self/status, 0 if there is none.
func status(key string) int {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, key+":"); ok {
			n, _ := strconv.Atoi(strings.Fields(v)[0])
			return n
		}
	}
	return 0
}

// A figure is what a row is made of.
type figure struct {
	what   string
	format func(float64) string
	get    func(sample) float64
}

// selves makes rows of what processes have measured of themselves, in turns. A figure
// that they do not know on this system is left out.
func selves(rounds int, args []string, figures ...figure) (rows []row) {
	var a, b []sample
	alternate(rounds,
		func() { a = append(a, must(measureSelf(std, args...))) },
		func() { b = append(b, must(measureSelf(x, args...))) })
	for _, f := range figures {
		var s, t []float64
		for i := range a {
			s, t = append(s, f.get(a[i])), append(t, f.get(b[i]))
		}
		if slices.Max(s) > 0 {
			rows = append(rows, compare(f.what, f.format, s, t, nil))
		}
	}
	return rows
}

func (s sample) seconds() float64 { return s.Seconds }
func (s sample) cpu() float64     { return s.CPU }
func (s sample) peak() float64    { return float64(s.Peak) }
func (s sample) threads() float64 { return float64(s.Threads[0]) }

func (p plan) largeOutput() []row {
	return selves(p.few, []string{"output", strconv.Itoa(p.large)},
		figure{fmt.Sprintf("Output of %d MB", p.large>>20), duration, sample.seconds},
		figure{"peak memory of that", megabytes, sample.peak})
}

func (p plan) kill(n int) []row {
	return selves(p.few, []string{"kill", strconv.Itoa(n)},
		figure{fmt.Sprintf("kill and reap %d that are waited for", n), duration, sample.seconds},
		figure{"own CPU of that", duration, sample.cpu})
}

func (p plan) outputThreads() []row {
	return selves(p.few, []string{"outputs", strconv.Itoa(p.outputsAtOnce)},
		figure{fmt.Sprintf("threads of %d Outputs at once", p.outputsAtOnce), count, sample.threads})
}

// A crowd is what it takes to wait for children.
type crowd struct {
	children int
	std, x   need
}

type need struct {
	threads int
	memory  int
	files   int
	crash   string // if it was one
}

func (p plan) measureCrowds() (crowds []crowd) {
	measure := func(s side, n int) need {
		got, err := measureSelf(s, "crowd", strconv.Itoa(n), "1")
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s, %d children: %v\n", s.name, n, err)
			return need{crash: "crash"}
		}
		return need{threads: got.Threads[0], memory: got.Memory, files: got.Files}
	}
	for _, n := range p.crowds {
		crowds = append(crowds, crowd{n, measure(std, n), measure(x, n)})
	}
	return crowds
}

// repeat shows whether the number of threads grows from one crowd to the next.
func (p plan) repeat() row {
	got := must(measureSelf(x, "crowd", strconv.Itoa(p.repeated), strconv.Itoa(p.repeats)))
	return row{
		what:   fmt.Sprintf("threads, last of %d rounds of %d children", p.repeats, p.repeated),
		only:   true,
		x:      float64(got.Threads[p.repeats-1]),
		format: count,
		note:   fmt.Sprintf("xexec in the first: %d", got.Threads[0]),
	}
}
