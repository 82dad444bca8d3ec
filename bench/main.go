// Bench measures xexec beside os/exec, in one run, in turns, and prints medians
// and ratios:
//
//	go run .                       four minutes; up to 10,000 children at a time
//	go run . -quick                less of everything: half a minute at most
//	go run . -svg ../docs/bench    also draws what it has measured
//
// It needs the programs true, echo, cat, head, sh and sleep. With a C compiler, it
// makes the static program that some rows run, and the floor: the same in C. It
// counts threads and memory where there is a /proc.
//
// A ratio is the median of the ratios of the rounds, in each of which both packages
// had their turn: on a machine that does other things as well, nothing else can be
// compared. Below 1 is in xexec's favour, and what is not says that it is worse.
// With five rounds, the interval is all of them.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// A plan is how much is measured.
type plan struct {
	rounds        int   // of what takes a millisecond
	few           int   // of what takes a second
	parallel      int   // Runs or Outputs at a time
	outputsAtOnce int   // whose threads are counted
	large         int   // bytes of a large output
	kills         []int // children that are killed at once
	crowds        []int // numbers of children that are waited for
	repeats       int   // crowds one after the other
	repeated      int   // children in each of them
}

var (
	full = plan{rounds: 2000, few: 5, parallel: 64, outputsAtOnce: 200, large: 300 << 20, kills: []int{1000, 5000},
		crowds: []int{100, 300, 1000, 3000, 10_000}, repeats: 60, repeated: 1000}
	quick = plan{rounds: 300, few: 3, parallel: 8, outputsAtOnce: 20, large: 30 << 20, kills: []int{50},
		crowds: []int{20, 60}, repeats: 3, repeated: 30}
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == selfArg {
		self(os.Args[2:])
		return
	}
	isQuick := flag.Bool("quick", false, "measure less of everything")
	svg := flag.String("svg", "", "draw into this `directory`")
	flag.Parse()
	p := full
	if *isQuick {
		p = quick
	}
	start := time.Now()
	r := p.measure()
	fmt.Printf("%s\nmeasured in %v\n", r.table(), time.Since(start).Round(time.Second))
	if *svg != "" {
		if err := r.draw(*svg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// machine says what the figures are of.
func machine() string {
	kernel, _ := exec.Command("uname", "-srm").Output()
	model := "unknown processor"
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(cpuinfo)) {
		if k, v, _ := strings.Cut(line, ":"); strings.TrimSpace(k) == "model name" {
			model = strings.TrimSpace(v)
			break
		}
	}
	return fmt.Sprintf("%s, %d processors; %s; %s",
		model, runtime.NumCPU(), strings.TrimSpace(string(kernel)), runtime.Version())
}
