package xexec_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"example.com/xexec"
)

// startSleep starts a child that is cheap to have and does not end by itself
// for the time of a test. It is killed and reaped at the end.
func startSleep(t testing.TB) *xexec.Cmd {
	t.Helper()
	c := xexec.Command("sleep", "1000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Kill()
		c.Wait()
	})
	return c
}

func killed(err error) bool {
	exit, ok := err.(*xexec.ExitError)
	return ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

func polledWaits() int {
	n, _ := xexec.Polled()
	return n
}

// pollerGoroutines returns the stacks of all goroutines of the poller.
func pollerGoroutines() (stacks []string) {
	buf := make([]byte, 1<<20)
	for _, s := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		_, creator, _ := strings.Cut(s, "created by example.com/xexec.")
		if strings.Contains(creator, "(*exitPoller)") || strings.Contains(creator, "(*observer)") {
			stacks = append(stacks, s)
		}
	}
	return stacks
}

// expectNoPoller checks that the poller has nothing that costs something.
func expectNoPoller(t testing.TB) {
	t.Helper()
	if n, open := xexec.Polled(); open {
		t.Errorf("the poller is open, with %d waits", n)
	}
	eventually(t, "no goroutine of the poller runs", func() bool { return pollerGoroutines() == nil })
}

func TestWaitContextThatEndsLeavesNothingBehind(t *testing.T) {
	needPoller(t)
	deadline(t, stuck)
	c := startSleep(t)
	before := takeStock()
	for range 3 {
		ctx, cancel := context.WithCancelCause(t.Context())
		result := make(chan error)
		go func() { result <- c.WaitContext(ctx) }()
		eventually(t, "WaitContext uses the poller", func() bool { return polledWaits() == 1 })
		if n := len(pollerGoroutines()); n != 1 {
			t.Errorf("%d goroutines of the poller", n)
		}
		cancel(errCause)
		if err := <-result; err != errCause {
			t.Errorf("WaitContext: %v", err)
		}
		expectNoPoller(t)
	}
	for _, leak := range before.compare(takeStock()) {
		t.Error(leak)
	}
	if err := c.Kill(); err != nil {
		t.Error(err)
	}
	if err := c.WaitContext(t.Context()); !killed(err) {
		t.Errorf("WaitContext: %v", err)
	}
	expectNoPoller(t)
}

// A wait that was called off leaves no trace in the poller that others use.
func TestPolledAgain(t *testing.T) {
	needPoller(t)
	deadline(t, stuck)
	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	other := startSleep(t)
	others.Go(func() { other.WaitContext(ctx) })
	eventually(t, "it is polled", func() bool { return polledWaits() == 1 })
	c := startSleep(t)
	for range 3 {
		again, leave := context.WithCancelCause(t.Context())
		result := make(chan error)
		go func() { result <- c.WaitContext(again) }()
		eventually(t, "both are polled", func() bool { return polledWaits() == 2 })
		leave(errCause)
		if err := <-result; err != errCause {
			t.Errorf("WaitContext: %v", err)
		}
	}
	if n := len(pollerGoroutines()); n != 1 {
		t.Errorf("%d goroutines", n)
	}
	cancel()
	others.Wait()
	expectNoPoller(t)
}

// The first waits block, and those beyond use the poller, where they stay until
// their own child exits.
func TestWaitsBeyondTheFirstArePolled(t *testing.T) {
	needPoller(t)
	deadline(t, stuck)
	const n = xexec.MaxThreads + 20
	var waiters sync.WaitGroup
	cmds := make([]*xexec.Cmd, n)
	for i := range cmds {
		c := startSleep(t)
		cmds[i] = c
		waiters.Go(func() {
			if err := c.Wait(); !killed(err) {
				t.Errorf("Wait: %v", err)
			}
		})
	}
	eventually(t, "all wait", func() bool {
		return polledWaits() == n-xexec.MaxThreads && xexec.Blocked() == xexec.MaxThreads
	})
	rand.Shuffle(n, func(i, j int) { cmds[i], cmds[j] = cmds[j], cmds[i] })
	for left := n - 1; left >= 0; left-- {
		if err := cmds[left].Kill(); err != nil {
			t.Error(err)
		}
		<-cmds[left].Done()
		eventually(t, "one wait less", func() bool { return polledWaits()+xexec.Blocked() == left })
	}
	waiters.Wait()
	expectNoPoller(t)
}

func TestThousandWaitersOfOneChild(t *testing.T) {
	needPoller(t)
	deadline(t, stuck)
	c := startSleep(t)
	const n = 1000
	results := make(chan error, n)
	for i := range n {
		go func() {
			if i%2 == 0 {
				results <- c.Wait()
			} else {
				results <- c.WaitContext(t.Context())
			}
		}()
	}
	eventually(t, "somebody waits", func() bool { return polledWaits()+xexec.Blocked() == 1 })
	if err := c.Kill(); err != nil {
		t.Error(err)
	}
	first := <-results
	if !killed(first) {
		t.Errorf("Wait: %v", first)
	}
	for range n - 1 {
		if err := <-results; err != first {
			t.Errorf("Wait: %v, another's: %v", err, first)
		}
	}
	expectNoPoller(t)
}

// Waits come to an empty poller while the last one leaves, and contexts end
// while the child does.
func TestPollerComesAndGoes(t *testing.T) {
	needPoller(t)
	deadline(t, stuck)
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	for range rounds {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				c := xexec.Command("sleep", "1000")
				if err := c.Start(); err != nil {
					t.Error(err)
					return
				}
				var waiters sync.WaitGroup
				for range 3 {
					ctx, cancel := context.WithCancelCause(t.Context())
					waiters.Go(func() {
						err := c.WaitContext(ctx)
						if err != errCause && !killed(err) {
							t.Errorf("WaitContext: %v", err)
						}
					})
					waiters.Go(func() {
						spin(rand.IntN(2000))
						cancel(errCause)
					})
				}
				spin(rand.IntN(2000))
				if err := c.Kill(); err != nil {
					t.Error(err)
				}
				waiters.Wait()
				if err := c.Wait(); !killed(err) {
					t.Errorf("Wait: %v", err)
				}
			})
		}
		all.Wait()
		expectNoPoller(t)
	}
}

func spin(n int) {
	for range n {
		runtime.Gosched()
	}
}

// What others do with the os.Process while the poller has its descriptor does
// not make the wait hang, and does not let another file have the number. Nor does
// what they do while a wait blocks in it.
func TestProcessTakenFromAWait(t *testing.T) {
	needPoller(t)
	deadline(t, stuck)
	for name, take := range map[string]func(c *xexec.Cmd){
		"Release":      func(c *xexec.Cmd) { c.Process.Release() },
		"Process.Wait": func(c *xexec.Cmd) { go c.Process.Wait() },
		"wait4":        func(c *xexec.Cmd) { go syscall.Wait4(c.Pid(), nil, 0, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			for i := range 40 {
				c := startSleep(t)
				pid := c.Pid()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				result := make(chan error)
				if i%2 == 0 {
					go func() { result <- c.WaitContext(ctx) }()
				} else {
					go func() { result <- c.Wait() }()
				}
				eventually(t, "it waits", func() bool { return polledWaits()+xexec.Blocked() == 1 })
				take(c)
				// Whoever gets the number of a descriptor that was closed too
				// early is not our child.
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				syscall.Kill(pid, syscall.SIGKILL)
				err = <-result
				if !killed(err) && !errors.Is(err, syscall.ECHILD) && !errors.Is(err, syscall.EINVAL) {
					t.Errorf("%d: %v", i, err)
				}
				r.Close()
				w.Close()
				syscall.Wait4(pid, nil, 0, nil) // what was released
				expectNoPoller(t)
			}
		})
	}
}

// Two Cmds with one Process cannot both register it.
func TestOneProcessInTwoPolledWaits(t *testing.T) {
	needPoller(t)
	deadline(t, stuck)
	c := startSleep(t)
	d := &xexec.Cmd{Process: c.Process}
	results := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { results <- c.WaitContext(ctx) }()
	eventually(t, "it is polled", func() bool { return polledWaits() == 1 })
	go func() { results <- d.WaitContext(ctx) }()
	eventually(t, "the other is not", func() bool { return len(pollerGoroutines()) == 2 })
	if err := c.Kill(); err != nil {
		t.Error(err)
	}
	one, other := <-results, <-results
	if killed(one) == killed(other) || !errors.Is(errors.Join(one, other), syscall.ECHILD) {
		t.Errorf("WaitContext: %v and %v, want that it was killed, and ECHILD", one, other)
	}
	expectNoPoller(t)
}

// A descriptor of the poller's is not passed on to a child.
func TestPollerIsNotInherited(t *testing.T) {
	needPoller(t)
	deadline(t, stuck)
	c := startSleep(t)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() { result <- c.WaitContext(ctx) }()
	eventually(t, "it is polled", func() bool { return polledWaits() == 1 })
	out, err := xexec.Command("sh", "-c", "ls -l /proc/$$/fd").Output()
	if err != nil || strings.Contains(string(out), "eventpoll") || strings.Contains(string(out), "pidfd") {
		t.Errorf("a child has, %v:\n%s", err, out)
	}
	cancel()
	if err := <-result; err != context.Canceled {
		t.Error(err)
	}
}
