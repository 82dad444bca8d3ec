package xexec_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"example.com/xexec"
)

// startServing starts a helper command that runs until its input ends, which
// stop brings about, and then exits with the code.
func startServing(t testing.TB, code string) (c *xexec.Cmd, stop func()) {
	t.Helper()
	c = helperCmd(t, "serve", code)
	return c, startServingCmd(t, c)
}

func startServingCmd(t testing.TB, c *xexec.Cmd) (stop func()) {
	t.Helper()
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	startReady(t, xCommand{c})
	t.Cleanup(func() {
		stdin.Close()
		c.Wait()
	})
	return func() { stdin.Close() }
}

// ended is a context that has ended, with a cause.
var (
	errCause = errors.New("the cause")
	ended    = func() context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errCause)
		return ctx
	}()
)

func TestWaitSharedByManyGoroutines(t *testing.T) {
	deadline(t, stuck)
	c, stop := startServing(t, "7")
	var results sync.Map
	var waiters sync.WaitGroup
	for i := range 60 {
		waiters.Go(func() {
			switch i % 3 {
			case 0:
				results.Store(c.Wait(), true)
			case 1:
				results.Store(c.WaitContext(t.Context()), true)
			case 2:
				<-c.Done()
				done, err := c.TryWait()
				if !done {
					t.Error("Done is closed and TryWait says false")
				}
				results.Store(err, true)
			}
			if c.ProcessState.ExitCode() != 7 {
				t.Errorf("ProcessState is %v", c.ProcessState)
			}
		})
	}
	stop()
	waiters.Wait()
	results.Store(c.Wait(), true)
	n := 0
	for err := range results.Range {
		n++
		var exit *xexec.ExitError
		if !errors.As(err.(error), &exit) || exit.ExitCode() != 7 {
			t.Errorf("Wait: %v", err)
		}
	}
	if n != 1 {
		t.Errorf("the waiters got %d different errors, want 1", n)
	}
}

func TestWaitContextEndsOnlyTheWaiting(t *testing.T) {
	deadline(t, stuck)
	c, stop := startServing(t, "0")
	if err := c.WaitContext(ended); err != errCause {
		t.Errorf("WaitContext with an ended context: %v, want its cause", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var waiters sync.WaitGroup
	for range 10 {
		waiters.Go(func() {
			if err := c.WaitContext(ctx); err != context.Canceled {
				t.Errorf("WaitContext: %v, want context.Canceled", err)
			}
		})
	}
	cancel()
	waiters.Wait()
	if done, err := c.TryWait(); done || err != nil {
		t.Errorf("TryWait of a running command: %v, %v", done, err)
	}
	stop()
	if err := c.WaitContext(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.WaitContext(ended); err != nil {
		t.Errorf("WaitContext of a complete command with an ended context: %v", err)
	}
}

// A waiter that leaves hands the watching over to the others.
func TestWaitersComeAndGo(t *testing.T) {
	deadline(t, stuck)
	for range 20 {
		c, stop := startServing(t, "0")
		var waiters sync.WaitGroup
		for i := range 8 {
			waiters.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Microsecond)
				defer cancel()
				if err := c.WaitContext(ctx); err != nil && err != context.DeadlineExceeded {
					t.Error(err)
				}
			})
			waiters.Go(func() {
				if err := c.Wait(); err != nil {
					t.Error(err)
				}
			})
		}
		c.TryWait()
		stop()
		waiters.Wait()
	}
}

func TestDoneBeforeStart(t *testing.T) {
	deadline(t, stuck)
	c := helperCmd(t, "serve", "0")
	done := c.Done()
	stop := startServingCmd(t, c)
	if done != c.Done() {
		t.Error("Done returns another channel after the start")
	}
	select {
	case <-done:
		t.Error("Done is closed while the command runs")
	default:
	}
	stop()
	<-done
	if done, err := c.TryWait(); !done || err != nil {
		t.Errorf("TryWait when Done is closed: %v, %v", done, err)
	}

	c = xexec.Command("./no such file")
	done = c.Done()
	if err := c.Start(); err == nil {
		t.Fatal("Start of a file that is not there succeeded")
	}
	<-done // or those who wait for it would wait for ever
	<-c.Done()
}

func TestMethodsBeforeStart(t *testing.T) {
	c := xexec.Command("whatever")
	const want = "exec: not started"
	check := func(what string, err error) {
		t.Helper()
		if err == nil || err.Error() != want {
			t.Errorf("%s before Start: %v, want %s", what, err, want)
		}
	}
	check("Wait", c.Wait())
	check("WaitContext", c.WaitContext(t.Context()))
	done, err := c.TryWait()
	check("TryWait", err)
	check("Kill", c.Kill())
	check("Signal", c.Signal(nil))
	check("Terminate", c.Terminate())
	check("Shutdown", c.Shutdown(t.Context()))
	if done || c.Pid() != 0 || c.Cause() != nil {
		t.Errorf("before Start: TryWait %v, Pid %d, Cause %v", done, c.Pid(), c.Cause())
	}
}

// The struct of a command can be assigned over, as people do who restart one
// that is a field of theirs.
func TestStructAssignedOverIsAnotherCommand(t *testing.T) {
	deadline(t, stuck)
	var service struct{ cmd xexec.Cmd }
	for _, code := range []string{"3", "4"} {
		service.cmd = *helperCmd(t, "exit", code)
		if err := service.cmd.Wait(); err == nil || err.Error() != "exec: not started" {
			t.Errorf("Wait before the start: %v", err)
		}
		err := service.cmd.Run()
		if err == nil || service.cmd.ProcessState.String() != "exit status "+code {
			t.Errorf("Run: %v, want exit status %s", err, code)
		}
	}
}
