package exits

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"example.com/xexec/internal/testkit"
)

// poolWaitsLeft returns how many waits the pool has.
func poolWaitsLeft() (n int) {
	poolWaits.Range(func(any, any) bool { n++; return true })
	return n
}

// A thousand waits, of which some are called off, need few threads and no goroutine
// but their callers'. Wine has one thread for 63 of the pool's waits; Windows has
// fewer.
func TestThousandWaits(t *testing.T) {
	testkit.Deadline(t, 2*testkit.Stuck)
	const n, children = 1000, 10
	var processes []*child
	for range children {
		processes = append(processes, startChild(t))
	}
	goroutines := runtime.NumGoroutine()
	before := testkit.Threads(t)
	calledOff := make(chan struct{})
	var waits, off sync.WaitGroup
	for i := range n {
		p := Of(processes[i%children].Process)
		if i < n/2 {
			off.Go(func() {
				exited, err := p.Wait(calledOff)
				expect(t, "Wait that is called off", exited, err, false)
			})
			continue
		}
		waits.Go(func() {
			exited, err := p.Wait([]chan struct{}{nil, never}[i/children%2])
			expect(t, "Wait", exited, err, true)
		})
	}
	testkit.Eventually(t, "all wait", func() bool { return poolWaitsLeft() == n-maxThreads })
	if g := runtime.NumGoroutine() - goroutines; g != n {
		t.Errorf("%d goroutines for %d waits", g, n)
	}
	most := testkit.Threads(t) - before
	close(calledOff)
	off.Wait()
	if left := poolWaitsLeft(); left != n/2-maxThreads {
		t.Errorf("%d waits are left in the pool", left)
	}
	for _, c := range processes {
		c.kill(t)
	}
	waits.Wait()
	most = max(most, testkit.Threads(t)-before)
	t.Logf("%d threads for %d waits", most, n)
	if most > 64 {
		t.Errorf("%d threads for %d waits", most, n)
	}
	if left := poolWaitsLeft(); left != 0 {
		t.Errorf("%d waits are left in the pool", left)
	}
	testkit.Eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= goroutines })
	expectNothingLeft(t)
}

const aloneEnv = "EXITS_TEST_ALONE"

// A program that waits for a process and has nothing else to do is not taken for
// deadlocked, and one that waits before its main function hears of the exit. No helper
// command can show that: the kit has a timer for each.
func TestWaitAlone(t *testing.T) {
	for _, when := range []string{"main", "init"} {
		t.Run(when, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)
			c := testkit.Command(t, "cat")
			c.Env = append(c.Environ(), aloneEnv+"="+when)
			out, err := c.CombinedOutput()
			if err != nil || string(out) != "seen" {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func init() {
	switch os.Getenv(aloneEnv) {
	case "main":
		beforeTests = waitAlone
	case "init":
		waitAlone()
	case "child":
		time.Sleep(300 * time.Millisecond)
		os.Exit(0)
	}
}

func waitAlone() {
	os.Setenv(aloneEnv, "child")
	for range 2 {
		c := exec.Command(os.Args[0])
		if err := c.Start(); err != nil {
			panic(err)
		}
		time.Sleep(20 * time.Millisecond) // the runtime forgets timers that were stopped
		exited, err := Of(c.Process).Wait(never)
		if !exited || err != nil {
			panic(fmt.Sprint(exited, err))
		}
	}
	fmt.Print("seen")
	os.Exit(0)
}

// Waits and watches come and go, and no handle stays.
func TestHandlesStayLevel(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	round := func() {
		c := testkit.Command(t, "cat")
		if err := c.Start(); err != nil { // it reads the null device, and ends
			t.Fatal(err)
		}
		p := Of(c.Process)
		_, stop := startWatch(t, c.Process)
		defer stop()
		exited, err := p.Wait(never)
		expect(t, "Wait", exited, err, true)
		if _, err := p.Reap(); err != nil {
			t.Errorf("Reap: %v", err)
		}
		exited, err = p.Exited()
		expect(t, "Exited after Reap", exited, err, true)
	}
	round()
	before := testkit.Handles(t)
	const rounds = 30
	for range rounds {
		round()
	}
	if after := testkit.Handles(t); after > before+rounds/3 {
		t.Errorf("%d handles, before %d", after, before)
	}
}

// A Process that is dropped gives its handle back.
func TestHandleGoesWithTheProcess(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := startChild(t)
	before := testkit.Handles(t)
	const n = 100
	for range n {
		Of(c.Process)
	}
	testkit.Eventually(t, "the handles are closed", func() bool {
		runtime.GC()
		return testkit.Handles(t) < before+n/2
	})
}

// Whoever waits for a process that somebody else has reaped hears of that, also if its
// id is another's since.
func TestReapAfterSomebodyElse(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := startChild(t)
	p := Of(c.Process)
	c.kill(t)
	c.expectStatus(t)
	if state, err := p.Reap(); state != nil || !errors.Is(err, syscall.ECHILD) {
		t.Errorf("Reap: %v, %v, want ECHILD", state, err)
	}

	released := startChild(t)
	another, err := os.FindProcess(released.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	p = Of(released.Process)
	released.Process.Release()
	if state, err := p.Reap(); state != nil || err == nil || errors.Is(err, syscall.ECHILD) {
		t.Errorf("Reap of a released process: %v, %v", state, err)
	}
	another.Kill()
	testkit.Eventually(t, "the exit is seen", func() bool { exited, _ := p.Exited(); return exited })
	another.Wait()
}

// How long after the exit a wait returns, with a thread of its own and from the pool.
func BenchmarkWait(b *testing.B) {
	for name, cancel := range map[string]chan struct{}{"thread": nil, "pool": never} {
		b.Run(name, func(b *testing.B) {
			var total time.Duration
			for range b.N {
				event, err := windows.CreateEvent(nil, 1, 0, nil)
				if err != nil {
					b.Fatal(err)
				}
				signalled := make(chan time.Time, 1)
				done := make(chan struct{})
				go func() {
					defer close(done)
					if cancel == nil {
						windows.WaitForSingleObject(event, windows.INFINITE)
					} else {
						w, err := newPoolWait(uintptr(event))
						if err != nil {
							b.Error(err)
						}
						<-w.exited
						w.stop()
					}
					total += time.Since(<-signalled)
				}()
				time.Sleep(time.Millisecond)
				signalled <- time.Now()
				windows.SetEvent(event)
				<-done
				windows.CloseHandle(event)
			}
			b.ReportMetric(float64(total.Microseconds())/float64(b.N), "us/wake")
		})
	}
}
