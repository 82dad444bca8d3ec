//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd || windows

package exits

import (
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"example.com/xexec/internal/testkit"
)

// never is a cancel channel that is not closed.
var never = make(chan struct{})

func expect(t testing.TB, what string, got bool, err error, want bool) {
	t.Helper()
	if got != want || err != nil {
		t.Errorf("%s: %v, %v, want %v", what, got, err, want)
	}
}

func TestExited(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := startChild(t)
	p := Of(c.Process)
	if p.Pid() != c.Process.Pid {
		t.Errorf("Pid: %d, want %d", p.Pid(), c.Process.Pid)
	}
	exited, err := p.Exited()
	expect(t, "Exited of a process that runs", exited, err, false)
	c.kill(t)
	exited, err = p.Wait(nil)
	expect(t, "Wait", exited, err, true)
	for range 3 {
		exited, err = p.Exited()
		expect(t, "Exited", exited, err, true)
	}
	c.expectStatus(t)
}

// looks are the ways to see whether p has exited.
func looks(p *Process) map[string]func() (bool, error) {
	return map[string]func() (bool, error){
		"Exited":      p.Exited,
		"Wait(nil)":   func() (bool, error) { return p.Wait(nil) },
		"Wait(never)": func() (bool, error) { return p.Wait(never) },
	}
}

// A process that has exited is not waited for, and wins over a cancel that is
// closed.
func TestWaitAfterTheExit(t *testing.T) {
	needWatch(t)
	testkit.Deadline(t, testkit.Stuck)
	c := startChild(t)
	p := Of(c.Process)
	c.kill(t)
	closed := make(chan struct{})
	close(closed)
	exited, err := p.Wait(never)
	expect(t, "Wait", exited, err, true)
	for _, cancel := range []chan struct{}{nil, never, closed} {
		exited, err := p.Wait(cancel)
		expect(t, "Wait after the exit", exited, err, true)
	}
	gone, stop := startWatch(t, c.Process)
	<-gone
	stop()
	expectNothingLeft(t)
	c.expectStatus(t)
}

func TestWaitIsTold(t *testing.T) {
	for name, cancel := range map[string]chan struct{}{"nil": nil, "never": never} {
		t.Run(name, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)
			c := startChild(t)
			var waits sync.WaitGroup
			for range 3 {
				waits.Go(func() {
					exited, err := Of(c.Process).Wait(cancel)
					expect(t, "Wait", exited, err, true)
				})
			}
			awaitWaits(t, 3)
			c.kill(t)
			waits.Wait()
			expectNothingLeft(t)
			c.expectStatus(t)
		})
	}
}

func TestCalledOffWaitLeavesNothing(t *testing.T) {
	needWatch(t)
	testkit.Deadline(t, testkit.Stuck)
	c := startChild(t)
	p := Of(c.Process)
	for range 3 {
		cancel := make(chan struct{})
		var wait sync.WaitGroup
		wait.Go(func() {
			exited, err := p.Wait(cancel)
			expect(t, "Wait that is called off", exited, err, false)
		})
		awaitWaits(t, 1)
		close(cancel)
		wait.Wait()
		gone, stop := startWatch(t, c.Process)
		select {
		case <-gone:
			t.Error("Watch tells of an exit")
		default:
		}
		stop()
		expectNothingLeft(t)
	}
	c.kill(t)
	exited, err := p.Wait(never)
	expect(t, "Wait after others were called off", exited, err, true)
	c.expectStatus(t)
}

// Whoever waits for one process, and by whatever means, is told.
func TestManyWaitsOfOneProcess(t *testing.T) {
	needWatch(t)
	testkit.Deadline(t, testkit.Stuck)
	c := startChild(t)
	p, q := Of(c.Process), Of(c.Process)
	var waits sync.WaitGroup
	const n = 60
	for i := range n {
		waits.Go(func() {
			exited, err := []*Process{p, q}[i%2].Wait([]chan struct{}{nil, never}[i/2%2])
			expect(t, "Wait", exited, err, true)
		})
	}
	awaitWaits(t, n)
	for range 10 {
		gone, _ := startWatch(t, c.Process)
		waits.Go(func() { <-gone })
	}
	c.kill(t)
	waits.Wait()
	c.expectStatus(t)
}

// Waits come while the last one leaves, and are called off while the process exits.
func TestWaitsComeAndGo(t *testing.T) {
	needWatch(t)
	rounds := 20
	if testing.Short() || runtime.GOOS == "windows" {
		rounds = 3
	}
	for range rounds {
		testkit.Deadline(t, testkit.Stuck)
		var all sync.WaitGroup
		for range 8 {
			c := startChild(t)
			all.Go(func() {
				p := Of(c.Process)
				var waits sync.WaitGroup
				for range 3 {
					cancel := make(chan struct{})
					waits.Go(func() {
						if _, err := p.Wait(cancel); err != nil {
							t.Errorf("Wait: %v", err)
						}
					})
					waits.Go(func() {
						spin(rand.IntN(1000))
						close(cancel)
					})
					waits.Go(func() {
						spin(rand.IntN(1000))
						if err := Watch(c.Process, func(<-chan struct{}) { spin(rand.IntN(1000)) }); err != nil {
							t.Errorf("Watch: %v", err)
						}
					})
				}
				spin(rand.IntN(1000))
				c.kill(t)
				exited, err := p.Wait([]chan struct{}{nil, never}[rand.IntN(2)])
				expect(t, "Wait", exited, err, true)
				waits.Wait()
				c.expectStatus(t)
			})
		}
		all.Wait()
		expectNothingLeft(t)
	}
}

func spin(n int) {
	for range n {
		runtime.Gosched()
	}
}

func TestReleased(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := startChild(t)
	pid := c.Process.Pid
	another, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	p := Of(c.Process)
	c.Process.Release()
	defer func() {
		another.Kill()
		another.Wait()
	}()
	if p.Pid() != pid {
		t.Errorf("Pid: %d, want %d", p.Pid(), pid)
	}
	for what, f := range looks(p) {
		if exited, err := f(); exited || err == nil {
			t.Errorf("%s: %v, %v, want an error", what, exited, err)
		}
	}
	if _, _, err := tryWatch(c.Process); err == nil {
		t.Error("Watch of a process that was released")
	}
}

// A process that os.Process.Wait has reaped has exited.
func TestReaped(t *testing.T) {
	needWatch(t)
	testkit.Deadline(t, testkit.Stuck)
	c := startChild(t)
	p := Of(c.Process)
	c.kill(t)
	c.expectStatus(t)
	for what, f := range looks(p) {
		exited, err := f()
		expect(t, what, exited, err, true)
	}
	if runtime.GOOS == "windows" {
		if _, _, err := tryWatch(c.Process); err == nil {
			t.Error("Watch of a process that has no handle")
		}
		return
	}
	gone, stop := startWatch(t, c.Process)
	<-gone
	stop()
}

// A process that is no child of ours can be watched. Only Linux sees that it
// cannot be waited for.
func TestGrandchild(t *testing.T) {
	needWatch(t)
	testkit.Deadline(t, testkit.Stuck)
	g := startGrandchild(t)
	p := Of(g.os)
	if runtime.GOOS == "linux" {
		for what, f := range looks(p) {
			if exited, err := f(); exited || !errors.Is(err, syscall.ECHILD) {
				t.Errorf("%s of a grandchild: %v, %v, want ECHILD", what, exited, err)
			}
		}
	} else {
		exited, err := p.Exited()
		expect(t, "Exited of a grandchild", exited, err, false)
	}
	gone, _ := startWatch(t, g.os)
	select {
	case <-gone:
		t.Error("Watch tells of an exit")
	default:
	}
	for _, what := range []string{"end", "reap"} {
		g.tell(what)
		<-gone
		exited, err := p.Exited()
		expect(t, "Exited after "+what, exited, err, true)
		again, stop := startWatch(t, g.os)
		<-again
		stop()
	}
}
