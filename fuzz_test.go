//go:build unix

package xexec_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// How many random plans a run tries, and from which seed, can be set in the
// environment.
const (
	randomEnv = "XEXEC_TEST_RANDOM"
	seedEnv   = "XEXEC_TEST_SEED"
)

func fromEnv(t testing.TB, name string, value int) int {
	if s := os.Getenv(name); s != "" {
		var err error
		if value, err = strconv.Atoi(s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return value
}

// randomBytes are what case number i of a seed is made of.
func randomBytes(seed, i int) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], uint64(seed))
	binary.LittleEndian.PutUint64(key[8:], uint64(i))
	data := make([]byte, 48)
	rand.NewChaCha8(key).Read(data)
	return data
}

func TestRandomCommandsBehaveAsUnderOsExec(t *testing.T) {
	t.Parallel()
	needHelper(t, "held")
	cases := 2000
	if raceEnabled {
		cases = 400 // each child takes five times as long
	}
	if testing.Short() || os.Getenv(withoutEnv) != "" {
		cases /= 8
	}
	// On a machine that has much else to do, those that come first must do.
	enough := 30 * time.Second
	if os.Getenv(randomEnv) != "" {
		enough = time.Hour
	}
	cases, seed := fromEnv(t, randomEnv, cases), fromEnv(t, seedEnv, 1)
	var next, ran atomic.Int64
	var accepted sync.Map
	var all sync.WaitGroup
	started := time.Now()
	for range 6 {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= cases || t.Failed() || time.Since(started) > enough {
					return
				}
				ran.Add(1)
				for _, name := range sameAsOsExec(t, fmt.Sprintf("%s=%d case %d", seedEnv, seed, i), randomBytes(seed, i)) {
					n, _ := accepted.LoadOrStore(name, new(atomic.Int64))
					n.(*atomic.Int64).Add(1)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d of %d cases in %v", ran.Load(), cases, time.Since(started).Round(time.Second))
	for _, name := range deviationNames {
		n, ok := accepted.Load(name)
		if !ok {
			if ran.Load() >= 1000 {
				t.Errorf("never seen: %s", name)
			}
			continue
		}
		t.Logf("%s: %d", name, n.(*atomic.Int64).Load())
	}
}

func FuzzSameAsOsExec(f *testing.F) {
	f.Add([]byte{})
	for i := range 20 {
		f.Add(randomBytes(2, i))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sameAsOsExec(t, "fuzz", data)
	})
}

// sameAsOsExec runs a plan under both packages, and returns the names of the
// deviations that it has seen.
func sameAsOsExec(t testing.TB, name string, data []byte) (accepted []string) {
	p := newPlan(data)
	stop := time.AfterFunc(stuck, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("%s hangs: %v", name, p))
	})
	defer stop.Stop()
	dir := filepath.Join(t.TempDir(), "dir")
	// Where a delay has to expire, a machine that is too slow for it gets more
	// time. Where none has to, there is one chance.
	if p.ctx == "sometime" {
		if problem := p.judgeSometime(t, dir); problem != "" {
			t.Errorf("%s: %v\n%s", name, p, problem)
		}
		return nil
	}
	for delay := 60 * time.Millisecond; ; delay *= 4 {
		std, x := p.perform(t, stdPackage, dir, delay), p.perform(t, xPackage, dir, delay)
		accepted, problem := p.judge(t, std, x, dir, delay)
		if problem == "" {
			return accepted
		}
		if !p.timed || delay > time.Second {
			t.Errorf("%s: %v\n%s", name, p, problem)
			return accepted
		}
	}
}

// judgeSometime compares a run in which the context ends at any moment with what
// os/exec does if it ends before the start, while the command runs, or not.
func (p *plan) judgeSometime(t testing.TB, dir string) (problem string) {
	all := func(lines []string) string { return strings.Join(lines, "\n") }
	// How much the child has written until then is left to chance.
	ends := func(lines []string) (ends string) {
		for _, line := range lines {
			switch key, _, _ := strings.Cut(line, ": "); key {
			case "Start", "Wait", "ProcessState", "started", "Kill":
				line, _, _ = strings.Cut(line, " stderr ")
				ends += line + "\n"
			}
		}
		return ends
	}
	perform := func(pkg execPackage, ctx string) []string {
		q := *p
		if q.ctx = ctx; ctx == "running" && !q.gate {
			q.early = append(slices.Clone(q.early), "ready", "gate")
			q.gate = true
		}
		return slices.DeleteFunc(q.perform(t, pkg, dir, 0), func(line string) bool {
			return strings.HasPrefix(line, "second Wait") || strings.HasPrefix(line, "the pipe is") // deviations
		})
	}
	x := perform(xPackage, "sometime")
	undisturbed := perform(stdPackage, "background")
	if all(x) == all(undisturbed) {
		return ""
	}
	early, running := perform(stdPackage, "before"), perform(stdPackage, "running")
	if ends(x) == ends(early) || ends(x) == ends(running) {
		return ""
	}
	return "os/exec, undisturbed:\n" + all(undisturbed) + "\ncancelled:\n" + all(running) + "\nxexec:\n" + all(x)
}

// deviationNames are the deviations that a plan can meet.
var deviationNames = []string{
	"1: a second Wait returns the first one's result",
	"2: Wait never discards output",
	"3: StdoutPipe is not an *os.File",
	"6: WaitDelay bounds a Stdin reader that does not return",
	"7: the default Cancel reports ErrProcessDone for a child that has exited",
}

// judge compares two reports. It accepts the deviations, and says what else is
// different.
func (p *plan) judge(t testing.TB, std, x []string, dir string, delay time.Duration) (accepted []string, problem string) {
	keys := func(lines []string) (keys []string, values map[string]string) {
		values = make(map[string]string)
		for _, line := range lines {
			key, value, _ := strings.Cut(line, ": ")
			for values[key] != "" {
				key += " again"
			}
			values[key] = value
			keys = append(keys, key)
		}
		slices.Sort(keys)
		return keys, values
	}
	stdKeys, s := keys(std)
	xKeys, v := keys(x)
	if !slices.Equal(stdKeys, xKeys) {
		return nil, "os/exec:\n" + strings.Join(std, "\n") + "\nxexec:\n" + strings.Join(x, "\n")
	}
	for _, key := range stdKeys {
		if s[key] == v[key] && !(p.ctx == "exited" && key == "Wait") {
			continue
		}
		n := p.deviation(t, key, s, v, dir, delay)
		if n < 0 {
			problem += fmt.Sprintf("%s\n\tos/exec: %s\n\txexec:   %s\n", key, s[key], v[key])
		} else if s[key] != v[key] {
			accepted = append(accepted, deviationNames[n])
		}
	}
	if problem != "" {
		problem += "xexec:\n" + strings.Join(x, "\n")
	}
	return accepted, problem
}

// deviation returns the index in deviationNames of what explains a difference,
// or -1.
func (p *plan) deviation(t testing.TB, key string, std, x map[string]string, dir string, delay time.Duration) int {
	// What os/exec does if the caller reads to the end before Wait, no context
	// ends, and nobody holds the output for long.
	reference := func() map[string]string {
		q := *p
		if q.held == "late" {
			q.held = "early"
		}
		if q.stdin == "stuck" {
			q.stdin = "" // or os/exec closes the pipes when WaitDelay expires
		}
		for _, reading := range []*string{&q.outReading, &q.errReading} {
			if *reading == "after" || *reading == "during" {
				*reading = "before"
			}
		}
		if q.ctx == "exited" {
			q.ctx = "background"
		}
		values := make(map[string]string)
		for _, line := range q.perform(t, stdPackage, dir, delay) {
			key, value, _ := strings.Cut(line, ": ")
			values[key] = value
		}
		return values
	}
	late := func(reading string) bool { return reading == "after" || reading == "during" }
	switch {
	case key == "second Wait", key == "Wait after the context's end":
		if strings.Contains(std[key], "exec: Wait was already called") && x[key] == x["Wait"] {
			return 0
		}
	case key == "out read" && late(p.outReading), key == "err read" && late(p.errReading):
		if x[key] == reference()[key] {
			return 1
		}
	case key == "the pipe is an *os.File", key == "the pipe is an *os.File again":
		if std[key] == `"true"` && x[key] == `"false"` {
			return 2
		}
	case key == "the Stdin reader":
		if strings.Contains(x[key], "after") {
			return 3
		}
	case key == "Cancel" && p.ctx == "exited":
		if std[key] == `"nil"` && strings.Contains(x[key], "ErrProcessDone") {
			return 4
		}
	case key == "Wait" && p.ctx == "exited":
		if p.cancel != "default" && p.cancel != "wrapped" {
			if std[key] == x[key] {
				return 4
			}
		} else if x[key] == reference()[key] {
			return 4
		}
	}
	return -1
}
