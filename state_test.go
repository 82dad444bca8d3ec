package xexec_test

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/xexec"
)

// collected reports whether the condition comes true while the collector runs.
func collected(condition func() bool) bool {
	for end := time.Now().Add(stuck / 2); time.Now().Before(end); time.Sleep(time.Millisecond) {
		runtime.GC()
		if condition() {
			return true
		}
	}
	return false
}

// What is kept beside a command goes with it.
func TestStateGoesWithTheCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context()) // lives longer than the commands
	defer cancel()
	const many = 10_000
	few := 3000 // of those that cost a process each
	if testing.Short() || raceEnabled || runtime.GOOS == "windows" {
		few = 100
	}
	cheap := func() *xexec.Cmd {
		if runtime.GOOS == "linux" {
			return xexec.CommandContext(ctx, "/bin/true")
		}
		return helperCmdContext(ctx, t, "exit", "0")
	}
	var dropped []*os.Process
	reapDropped := func() {
		for _, p := range dropped {
			p.Wait()
		}
		dropped = nil
	}
	defer reapDropped()
	for name, test := range map[string]struct {
		n int
		f func() *xexec.Cmd
	}{
		"before Start": {many, func() *xexec.Cmd {
			c := xexec.CommandContext(ctx, "/no such file")
			c.SetStopSignal(nil)
			c.Done()
			return c
		}},
		"after a failed Start": {many, func() *xexec.Cmd {
			c := xexec.CommandContext(ctx, "/no such file")
			c.Stdout = new(bytes.Buffer)
			c.Start()
			return c
		}},
		"after Start": {few, func() *xexec.Cmd {
			c := cheap()
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			// Somebody must reap it, and this is not a wait for c.
			dropped = append(dropped, c.Process)
			if len(dropped) == 100 {
				reapDropped()
			}
			return c
		}},
		"after Wait": {few, func() *xexec.Cmd {
			c := cheap()
			c.WaitDelay = time.Hour
			if _, err := c.Output(); err != nil {
				t.Fatal(err)
			}
			return c
		}},
		"with a Cancel of its own, after Wait": {50, func() *xexec.Cmd {
			c := helperCmdContext(ctx, t, "exit", "0")
			c.Cancel = func() error { return c.Kill() }
			if err := c.RunContext(ctx); err != nil {
				t.Fatal(err)
			}
			return c
		}},
		"adopted": {50, func() *xexec.Cmd {
			c := helperCmd(t, "exit", "0")
			if err := c.Std().Start(); err != nil {
				t.Fatal(err)
			}
			if err := c.Wait(); err != nil {
				t.Fatal(err)
			}
			return c
		}},
		"cloned": {many, func() *xexec.Cmd {
			c := xexec.CommandContext(ctx, "/no such file")
			return c.Clone()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			deadline(t, 2*stuck)
			if !collected(func() bool { return xexec.States() == 0 }) {
				t.Fatalf("%d states are left from before", xexec.States())
			}
			n := 0
			for end := time.Now().Add(stuck / 4); n < test.n && (n < 100 || time.Now().Before(end)); n++ {
				test.f()
			}
			if !collected(func() bool { return xexec.States() == 0 }) {
				t.Errorf("%d states for %d commands that were dropped", xexec.States(), n)
			}
		})
	}
}

// A command that is kept holds no writer that its caller has dropped.
func TestStateHoldsNoOutput(t *testing.T) {
	deadline(t, stuck)
	run := func(c *xexec.Cmd, run func(*xexec.Cmd) error) (gone chan struct{}) {
		gone = make(chan struct{})
		w := &droppable{Buffer: new(bytes.Buffer)}
		runtime.AddCleanup(w, func(gone chan struct{}) { close(gone) }, gone)
		c.Stdout = w
		if err := run(c); err != nil {
			t.Fatal(err)
		}
		if w.String() != "something" {
			t.Errorf("output: %q", w)
		}
		c.Stdout = nil // what the caller can drop
		return gone
	}
	for name, f := range map[string]func(*xexec.Cmd) error{
		"our": (*xexec.Cmd).Run,
		// With a context that only os/exec can name.
		"os/exec's context and our": (*xexec.Cmd).Run,
		"os/exec's": func(c *xexec.Cmd) error {
			if err := c.Std().Start(); err != nil {
				return err
			}
			return c.Wait()
		},
	} {
		c := helperCmd(t, "say", "o:something")
		if strings.Contains(name, "context") {
			c = xexec.FromStd(stdHelperCmdContext(t.Context(), t, "say", "o:something"))
		}
		gone := run(c, f)
		if !collected(func() bool {
			select {
			case <-gone:
				return true
			default:
				return false
			}
		}) {
			t.Errorf("the writer of a command that %s Start started is still held", name)
		}
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// A droppable is a writer that is an object of its own.
type droppable struct {
	*bytes.Buffer
	_ [64]byte
}

// A command that was dropped is still ended by its context, with the Cancel that
// it was given.
func TestDroppedCommandIsEndedByItsContext(t *testing.T) {
	deadline(t, stuck)
	for _, own := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		called := make(chan struct{}, 1)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		process := func() *os.Process {
			c := helperCmdContext(ctx, t, "serve", "0")
			if own {
				c.Cancel = func() error {
					called <- struct{}{}
					return c.Process.Kill()
				}
			}
			c.Stdin = r
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			return c.Process
		}()
		r.Close()
		runtime.GC()
		runtime.GC()
		cancel()
		if state, err := process.Wait(); err != nil || state.Success() {
			t.Errorf("the process ended with %v, %v", state, err)
		}
		if own {
			<-called
		}
		w.Close()
	}
}
