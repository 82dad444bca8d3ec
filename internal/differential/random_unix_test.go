//go:build unix

package differential_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// randomBytes are what case number i of a seed is made of.
func randomBytes(seed, i int) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], uint64(seed))
	binary.LittleEndian.PutUint64(key[8:], uint64(i))
	data := make([]byte, 64)
	rand.NewChaCha8(key).Read(data)
	return data
}

func TestRandomCommandsBehaveAsUnderOsExec(t *testing.T) {
	t.Parallel()
	testkit.NeedHelper(t, "held")
	cases := 400
	if testkit.Long() && !testkit.RaceEnabled { // where each child takes five times as long
		cases = 2000
	}
	if testing.Short() || testkit.Sandboxed() != "" {
		cases /= 8
	}
	// On a machine that has much else to do, those that come first must do. These are
	// tried, however long it takes.
	enough := 30 * time.Second
	if os.Getenv(testkit.RandomEnv) != "" {
		enough = time.Hour
	}
	cases, seed := testkit.FromEnv(t, testkit.RandomEnv, cases), testkit.FromEnv(t, testkit.SeedEnv, 1)
	var next, ran atomic.Int64
	var accepted sync.Map
	var all sync.WaitGroup
	started := time.Now()
	for range 6 {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= cases || t.Failed() || i >= cases/8 && time.Since(started) > enough {
					return
				}
				ran.Add(1)
				for _, name := range sameAsOsExec(t, fmt.Sprintf("%s=%d case %d", testkit.SeedEnv, seed, i), randomBytes(seed, i)) {
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
	stop := time.AfterFunc(testkit.Stuck, func() {
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
		std, x := p.perform(t, xtest.Std, dir, delay), p.perform(t, xtest.X, dir, delay)
		accepted, problem := p.judge(t, std.lines, x.lines, dir, delay)
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
	all := func(o outcome) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(o.lines), func(line string) bool {
			return strings.HasPrefix(line, "second Wait") || strings.HasPrefix(line, "the pipe is") // deviations
		}), "\n")
	}
	// How much the child has written until then is left to chance.
	ends := func(o outcome) (ends string) {
		for _, line := range o.lines {
			switch key, _, _ := strings.Cut(line, ": "); key {
			case "Start", "Wait", "ProcessState", "started", "Kill":
				line, _, _ = strings.Cut(line, " stderr ")
				ends += line + "\n"
			}
		}
		return ends
	}
	perform := func(pkg xtest.Package, ctx string) outcome {
		q := *p
		if q.ctx = ctx; ctx == "running" && !q.gate {
			q.early = append(slices.Clone(q.early), "ready", "gate")
			q.gate = true
		}
		return q.perform(t, pkg, dir, 0)
	}
	x, undisturbed := perform(xtest.X, "sometime"), perform(xtest.Std, "background")
	_, v := byKey(x.lines)
	_, u := byKey(undisturbed.lines)
	if v["started"] == `"true"` && v["second Wait"] != v["Wait"] {
		problem += "second Wait: " + v["second Wait"] + "\n"
	}
	for key := range v {
		if strings.HasPrefix(key, "the pipe is") && v[key] != `"false"` {
			problem += key + "\n"
		}
	}
	for _, key := range []string{"String", "Args", "Dir", "Env", "Environ", "Environ afterwards", "SysProcAttr", "are nil"} {
		if v[key] != u[key] {
			problem += fmt.Sprintf("%s\n\tos/exec: %s\n\txexec:   %s\n", key, u[key], v[key])
		}
	}
	if problem == "" && all(x) == all(undisturbed) {
		return ""
	}
	// But what it has written comes through as far as it goes.
	for key, got := range x.streams {
		whole := undisturbed.streams[key]
		if key == stderrOfExit && len(got) > 64<<10 {
			continue // the middle is left out
		}
		if key == stderrOfExit && len(got) > 0 {
			q := *p
			q.ctx, q.stderr = "background", "buffer"
			whole = q.perform(t, xtest.Std, dir, 0).streams["stderr"]
		}
		if !bytes.HasPrefix(whole, got) {
			problem += fmt.Sprintf("%s: %s is no beginning of %s\n", key, sum(got), sum(whole))
		}
	}
	early, running := perform(xtest.Std, "before"), perform(xtest.Std, "running")
	if problem == "" && (ends(x) == ends(early) || ends(x) == ends(running)) {
		return ""
	}
	return problem + "os/exec, undisturbed:\n" + all(undisturbed) + "\ncancelled:\n" + all(running) + "\nxexec:\n" + all(x)
}

// byKey takes the lines of a report apart.
func byKey(lines []string) (keys []string, values map[string]string) {
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

// deviationNames are the deviations that a plan can meet.
var deviationNames = []string{
	"1: a second Wait returns the first one's result",
	"2: Wait never discards output",
	"3: StdoutPipe is not an *os.File",
	"6: WaitDelay bounds a Stdin reader that does not return",
	"7: the default Cancel reports ErrProcessDone for a child that has exited",
}

// judge compares two reports. It requires the deviations, and says what else is
// different.
func (p *plan) judge(t testing.TB, std, x []string, dir string, delay time.Duration) (accepted []string, problem string) {
	stdKeys, s := byKey(std)
	xKeys, v := byKey(x)
	if !slices.Equal(stdKeys, xKeys) {
		return nil, "os/exec:\n" + strings.Join(std, "\n") + "\nxexec:\n" + strings.Join(x, "\n")
	}
	reference := sync.OnceValue(func() map[string]string { return p.reference(t, dir, delay) })
	for _, key := range stdKeys {
		n, ok := p.deviation(key, s, v, reference)
		if n < 0 {
			ok = s[key] == v[key]
		}
		if !ok {
			problem += fmt.Sprintf("%s\n\tos/exec: %s\n\txexec:   %s\n", key, s[key], v[key])
			if key == "Wait" && n >= 0 || n == lateReading {
				problem += fmt.Sprintf("\tmust be: %s\n", reference()[key])
			}
		} else if s[key] != v[key] {
			accepted = append(accepted, deviationNames[n])
		}
	}
	if problem != "" {
		problem += "xexec:\n" + strings.Join(x, "\n")
	}
	return accepted, problem
}

// reference is what os/exec does if the caller reads to the end before Wait, no
// context ends after the exit, and nobody holds the output for long.
func (p *plan) reference(t testing.TB, dir string, delay time.Duration) map[string]string {
	q := *p
	if q.held == "late" {
		q.held = "early"
	}
	if q.stdin == "stuck" {
		q.stdin = "" // or os/exec closes the pipes when WaitDelay expires
	}
	if q.ctx == "running" && q.delay == "short" {
		q.cancel, q.delay = "default", "" // likewise; either kills it at the gate
	}
	for _, reading := range []*string{&q.outReading, &q.errReading} {
		if *reading == "after" || *reading == "during" {
			*reading = "before"
		}
	}
	if q.ctx == "exited" {
		q.ctx = "background"
	}
	_, values := byKey(q.perform(t, xtest.Std, dir, delay).lines)
	return values
}

// lateReading is an index in deviationNames.
const lateReading = 1

// deviation returns the index in deviationNames of the deviation that a started
// command must show, and whether it does, or -1.
func (p *plan) deviation(key string, std, x map[string]string, reference func() map[string]string) (n int, ok bool) {
	// os/exec also closes the pipes when it kills a command whose WaitDelay has
	// expired, if it is copying something.
	late := func(reading string) bool {
		return reading == "after" || reading == "during" ||
			reading == "before" && p.ctx == "running" && p.delay == "short"
	}
	switch {
	case strings.HasPrefix(key, "the pipe is an *os.File"):
		return 2, std[key] == `"true"` && x[key] == `"false"`
	case x["started"] != `"true"`:
	case key == "second Wait", key == "Wait after the context's end":
		return 0, strings.Contains(std[key], "exec: Wait was already called") && x[key] == x["Wait"]
	case key == "out read" && late(p.outReading), key == "err read" && late(p.errReading):
		return lateReading, x[key] == reference()[key]
	case key == "the Stdin reader":
		return 3, strings.Contains(x[key], "after")
	case key == "Cancel" && p.ctx == "exited":
		return 4, std[key] == `"nil"` && strings.Contains(x[key], "ErrProcessDone")
	case key == "Wait" && p.ctx == "exited" && (p.cancel == "default" || p.cancel == "wrapped"):
		return 4, x[key] == reference()[key]
	}
	return -1, false
}
