package xexec_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// A program hands its command to code that starts it and waits for it through
// os/exec, whose Wait the command's Cancel must not get in the way of.
func TestDefaultCancelBesideOsExecsWait(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for i := range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%40)*100*time.Microsecond)
		c := xtest.HelperContext(ctx, t, "exit", "0")
		if err := c.Std().Start(); err == nil {
			c.Std().Wait()
		}
		cancel()
	}
}

// After os/exec's Wait, Wait says that the status is gone, or what it was where
// nobody had asked for the command here before.
func TestWaitAfterOsExecsWait(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for _, code := range []string{"0", "3"} {
		for name, prepare := range map[string]func(*xexec.Cmd) error{
			"wait: no child processes": (*xexec.Cmd).Start, // or waitid:
			"exit status " + code: func(c *xexec.Cmd) error {
				defer c.Pid()
				return c.Std().Start()
			},
		} {
			c := xtest.Helper(t, "exit", code)
			var out bytes.Buffer
			c.Stdout = &out
			if err := prepare(c); err != nil {
				t.Fatal(err)
			}
			c.Std().Wait()
			got := fmt.Sprint(c.Wait())
			if got == "<nil>" {
				got = "exit status 0"
			}
			if strings.TrimPrefix(got, "waitid: ") != strings.TrimPrefix(name, "wait: ") && got != name {
				t.Errorf("Wait: %s, want %s", got, name)
			}
			if err := c.Kill(); err != os.ErrProcessDone {
				t.Errorf("Kill: %v", err)
			}
			if done, err := c.TryWait(); !done || fmt.Sprint(err) != fmt.Sprint(c.Wait()) {
				t.Errorf("TryWait: %v, %v", done, err)
			}
		}
	}
}

// TryWait does not block on what os/exec copies, whatever the fields say later.
func TestTryWaitOfAdoptedCommandDoesNotBlock(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.Helper(t, "hold", testkit.HolderAddr(t), "exit", "0")
	c.Stdout = new(bytes.Buffer)
	if err := c.Std().Start(); err != nil {
		t.Fatal(err)
	}
	c.Stdout = nil
	for c.Kill() == nil {
		time.Sleep(time.Millisecond)
	}
	if done, err := c.TryWait(); done {
		t.Errorf("TryWait: %v while the output is held", err)
	}
}

// How os/exec's Wait is going to behave is found out without a look at what its
// goroutine may be writing.
func TestAdoptedAfterWaitDelay(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	ctx, cancel := context.WithCancel(t.Context())
	c := xtest.HelperContext(ctx, t, "serve", "0")
	c.Stdout, c.WaitDelay = new(bytes.Buffer), time.Millisecond
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := c.Std().Start(); err != nil {
		t.Fatal(err)
	}
	cancel()
	// The goroutine that watches has written it when it has a result to give. The
	// race detector must not see that we know.
	testkit.Eventually(t, "os/exec has ended the command", func() bool {
		for g := range strings.SplitSeq(testkit.Stacks(), "\n\n") {
			if strings.Contains(g, "[chan send") && strings.Contains(g, "os/exec.(*Cmd).watchCtx(") {
				return true
			}
		}
		return false
	})
	if err := c.Wait(); err == nil {
		t.Error("Wait: no error")
	}
}

func TestWaitSharedByManyGoroutines(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c, stop := xtest.StartServing(t, "7")
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
	testkit.Deadline(t, testkit.Stuck)
	c, stop := xtest.StartServing(t, "0")
	if err := c.WaitContext(testkit.Ended); !errors.Is(err, testkit.ErrCause) {
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
	if err := c.WaitContext(testkit.Ended); err != nil {
		t.Errorf("WaitContext of a complete command with an ended context: %v", err)
	}
}

// A waiter that leaves hands the watching over to the others.
func TestWaitersComeAndGo(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for range 20 {
		c, stop := xtest.StartServing(t, "0")
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
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.Helper(t, "serve", "0")
	done := c.Done()
	stop := xtest.StartServingCmd(t, c)
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

// lockedContext is a context whose methods take a lock of the caller's.
type lockedContext struct {
	context.Context
	mu *sync.Mutex
}

func (c lockedContext) Value(key any) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Context.Value(key)
}

// TryWait calls no method of a context: the caller may hold a lock that these take.
func TestTryWaitUnderALockOfTheContext(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	ctx := lockedContext{t.Context(), new(sync.Mutex)}
	c := xtest.HelperContext(ctx, t, "exit", "0")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ctx.mu.Lock()
	defer ctx.mu.Unlock()
	for done := false; !done; time.Sleep(time.Millisecond) {
		var err error
		if done, err = c.TryWait(); err != nil {
			t.Fatal(err)
		}
	}
}
