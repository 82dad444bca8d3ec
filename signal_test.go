package xexec_test

import (
	"errors"
	"os"
	"sync"
	"testing"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// Whatever a method meets while another goroutine starts the command, and kills
// it, and waits for it, it is one of the answers that it promises.
func TestEverythingMayRaceStart(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for round := range 50 {
		c := xtest.HelperContext(t.Context(), t, "serve", "0")
		stdin, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var others sync.WaitGroup
		begin := make(chan struct{})
		race := func(what string, f func() error) {
			others.Go(func() {
				<-begin
				err := f()
				var exit *xexec.ExitError
				if err != nil && err.Error() != "exec: not started" &&
					!errors.Is(err, os.ErrProcessDone) && !errors.As(err, &exit) && !errors.Is(err, testkit.ErrCause) {
					t.Errorf("round %d: %s: %v", round, what, err)
				}
			})
		}
		race("Kill", c.Kill)
		race("Signal", func() error { return c.Signal(os.Kill) })
		race("Wait", c.Wait)
		race("WaitContext", func() error { return c.WaitContext(testkit.Ended) })
		race("TryWait", func() error { _, err := c.TryWait(); return err })
		race("Done", func() error { <-c.Done(); return nil })
		race("Shutdown", func() error { return c.Shutdown(testkit.Ended) })
		race("Pid", func() error { c.Pid(); c.Cause(); return nil })
		race("Clone", func() error { c.Clone(); return nil })
		others.Go(func() {
			<-begin
			if err := c.Start(); err != nil {
				t.Error(err)
			}
		})
		close(begin)
		// All but Done may have come before the start.
		stdin.Close()
		others.Wait()
		if err := c.Kill(); err != os.ErrProcessDone {
			t.Errorf("Kill of a complete command: %v", err)
		}
		if c.Pid() != c.Process.Pid {
			t.Errorf("Pid is %d, Process.Pid %d", c.Pid(), c.Process.Pid)
		}
	}
}

// Of many Kills of one command, those return nil that found it alive, and there
// is at least one. All after the exit return os.ErrProcessDone.
func TestKillFromManyGoroutines(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for range 10 {
		c, _ := xtest.StartServing(t, "0")
		var killers sync.WaitGroup
		delivered := make(chan struct{}, 100)
		for range cap(delivered) / 10 {
			killers.Go(func() {
				for range 10 {
					switch err := c.Kill(); err {
					case nil:
						delivered <- struct{}{}
					case os.ErrProcessDone:
					default:
						t.Errorf("Kill: %v", err)
					}
				}
			})
		}
		killers.Go(func() { c.Wait() })
		killers.Wait()
		if len(delivered) == 0 {
			t.Error("no Kill of a live process returned nil")
		}
		if err := c.Kill(); err != os.ErrProcessDone {
			t.Errorf("Kill after Wait: %v", err)
		}
	}
}
