package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// What is measured of a whole process is measured in one of its own: this
// program, with selfArg as its first argument. It prints a sample.
const selfArg = "measure-yourself"

type sample struct {
	Seconds float64
	Peak    int   // bytes of memory
	Memory  int   // bytes of memory more than before the children
	Files   int   // descriptors that are open on account of the waiting
	Threads []int // one for each round
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
			if got := len(must(s.command("head", "-c", args[2], "/dev/zero").Output())); got != n {
				panic(got)
			}
		})
		out.Peak = status("VmHWM") << 10
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
			for _, c := range cmds {
				check(s.kill(c))
			}
			waiters.Wait()
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(out))
}

// settle returns when the number of threads no longer changes.
func settle() {
	for last, same := 0, 0; same < 5; time.Sleep(20 * time.Millisecond) {
		now := status("Threads")
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

func (p plan) largeOutput() []row {
	var peak = map[string][]float64{}
	what := fmt.Sprintf("Output of %d MB", p.large>>20)
	r := inTurns(what, p.few, duration, func(s side) float64 {
		got := must(measureSelf(s, "output", strconv.Itoa(p.large)))
		peak[s.name] = append(peak[s.name], float64(got.Peak))
		return got.Seconds
	})
	if !hasProc() {
		return []row{r}
	}
	return []row{r, compare("peak memory of that", megabytes, peak[std.name], peak[x.name])}
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
