//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package exits

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"example.com/xexec/internal/testkit"
)

// polled returns how many wait with the poller, and for how many processes; -1 if
// it is not open.
func polled() (waiters, processes int) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.queue == nil {
		return 0, -1
	}
	for _, w := range shared.processes {
		waiters += w.waiters
	}
	return waiters, len(shared.processes)
}

func awaitPolled(t testing.TB, waiters, processes int) {
	t.Helper()
	testkit.Eventually(t, "the poller has these waits", func() bool {
		w, p := polled()
		return w == waiters && p == processes
	})
}

// expectClosedPoller checks that the poller has nothing that costs something.
func expectClosedPoller(t testing.TB) {
	t.Helper()
	if waiters, processes := polled(); processes != -1 {
		t.Errorf("the poller is open, with %d waits for %d processes", waiters, processes)
	}
	expectNothingLeft(t)
}

// The first waits block a thread, and those beyond use the poller, where they stay
// until their own process exits.
func TestWaitsBeyondTheFirstArePolled(t *testing.T) {
	needWatch(t)
	testkit.Deadline(t, testkit.Stuck)
	const n = maxThreads + 20
	var waits sync.WaitGroup
	children := make([]*child, n)
	for i := range children {
		children[i] = startChild(t)
		waits.Go(func() {
			exited, err := Of(children[i].Process).Wait(nil)
			expect(t, "Wait", exited, err, true)
		})
	}
	testkit.Eventually(t, "all wait", func() bool {
		_, processes := polled()
		return processes == n-maxThreads && threads.Load() == maxThreads
	})
	rand.Shuffle(n, func(i, j int) { children[i], children[j] = children[j], children[i] })
	for i, c := range children {
		c.kill(t)
		testkit.Eventually(t, "one waits less", func() bool {
			waiters, _ := polled()
			return waiters+int(threads.Load()) == n-1-i
		})
	}
	waits.Wait()
	expectClosedPoller(t)
}

// Waits for one process share its registration, and each leaves for itself.
func TestRegistrationIsShared(t *testing.T) {
	needWatch(t)
	testkit.Deadline(t, testkit.Stuck)
	c := startChild(t)
	var waits sync.WaitGroup
	cancels := make([]chan struct{}, 4)
	for i := range cancels {
		cancels[i] = make(chan struct{})
		waits.Go(func() {
			exited, err := Of(c.Process).Wait(cancels[i])
			expect(t, "Wait", exited, err, i >= 2)
		})
		awaitPolled(t, i+1, 1)
	}
	if n := goroutines("(*poller).loop"); n != 1 {
		t.Errorf("%d goroutines of the poller", n)
	}
	for i := range 2 {
		close(cancels[i])
		awaitPolled(t, len(cancels)-1-i, 1)
	}
	c.kill(t)
	waits.Wait()
	expectClosedPoller(t)
}

// A wait that is called off leaves no trace in the set that others use.
func TestPolledAgain(t *testing.T) {
	needWatch(t)
	testkit.Deadline(t, testkit.Stuck)
	c, other := startChild(t), startChild(t)
	var waits sync.WaitGroup
	leave := make(chan struct{})
	waits.Go(func() { Of(other.Process).Wait(leave) })
	awaitPolled(t, 1, 1)
	for range 3 {
		cancel := make(chan struct{})
		var again sync.WaitGroup
		again.Go(func() {
			exited, err := Of(c.Process).Wait(cancel)
			expect(t, "Wait that is called off", exited, err, false)
		})
		awaitPolled(t, 2, 2)
		close(cancel)
		again.Wait()
		awaitPolled(t, 1, 1)
	}
	close(leave)
	waits.Wait()
	expectClosedPoller(t)
}

// When the kernel's queue fails, waits go on without it, and Watch tells nothing
// that is not so.
func TestQueueFails(t *testing.T) {
	needWatch(t)
	testkit.Deadline(t, testkit.Stuck)
	c := startChild(t)
	p := Of(c.Process)
	gone, _ := startWatch(t, c.Process)
	var waits sync.WaitGroup
	cancel := make(chan struct{})
	waits.Go(func() {
		exited, err := p.Wait(cancel)
		expect(t, "Wait that is called off", exited, err, false)
	})
	for range 2 {
		waits.Go(func() {
			exited, err := p.Wait(never)
			expect(t, "Wait", exited, err, true)
		})
	}
	testkit.Eventually(t, "all wait", func() bool { waiters, _ := polled(); return waiters == 4 })
	shared.mu.Lock()
	q := shared.queue
	shared.mu.Unlock()
	shared.deliver(q, errors.New("some"))
	testkit.Eventually(t, "all share the observer", func() bool {
		return goroutines("(*observer).wait(") == 3 && goroutines("(*observer).wait.func") == 1
	})
	if _, processes := polled(); processes != -1 {
		t.Error("the poller is open")
	}
	close(cancel)
	testkit.Eventually(t, "it is called off", func() bool { return goroutines("(*observer).wait(") == 2 })
	select {
	case <-gone:
		t.Error("Watch tells of an exit")
	default:
	}
	c.kill(t)
	waits.Wait()
	expectClosedPoller(t)
	c.expectStatus(t)
}
