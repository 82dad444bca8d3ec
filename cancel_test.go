package xexec_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// isBoth checks an error of a command that ctx has ended: it is the exit's and
// the context's.
func isBoth(t *testing.T, what string, err error, ctx context.Context) {
	t.Helper()
	var exit *xexec.ExitError
	if !errors.As(err, &exit) || !errors.Is(err, ctx.Err()) || !errors.Is(err, context.Cause(ctx)) {
		t.Errorf("%s: %v, want the *ExitError, %v and %v in one", what, err, ctx.Err(), context.Cause(ctx))
	}
	if exit != nil && !strings.Contains(err.Error(), exit.Error()) {
		t.Errorf("%s: %v does not tell how the command ended", what, err)
	}
}

// cancelWhenStarted calls cancel with errCause once c has been started.
func cancelWhenStarted(t *testing.T, c *xexec.Cmd, cancel context.CancelCauseFunc) {
	var waiter sync.WaitGroup
	waiter.Go(func() {
		for c.Pid() == 0 && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel(testkit.ErrCause)
	})
	t.Cleanup(waiter.Wait)
}

// A contextMethod starts the command with a context and waits for it.
var contextMethods = map[string]func(*xexec.Cmd, context.Context) error{
	"StartContext": func(c *xexec.Cmd, ctx context.Context) error {
		if err := c.StartContext(ctx); err != nil {
			return err
		}
		return c.Wait()
	},
	"RunContext": (*xexec.Cmd).RunContext,
	"OutputContext": func(c *xexec.Cmd, ctx context.Context) error {
		_, err := c.OutputContext(ctx)
		return err
	},
	"CombinedOutputContext": func(c *xexec.Cmd, ctx context.Context) error {
		_, err := c.CombinedOutputContext(ctx)
		return err
	},
}

func TestContextMethods(t *testing.T) {
	for name, run := range contextMethods {
		t.Run(name, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)

			c := xtest.Helper(t, "serve", "0")
			if _, err := c.StdinPipe(); err != nil { // it would be there for ever
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			cancelWhenStarted(t, c, cancel)
			isBoth(t, "ended by its context", run(c, ctx), ctx)
			if c.Cause() != testkit.ErrCause {
				t.Errorf("Cause: %v", c.Cause())
			}
			if err := c.Wait(); !errors.Is(err, testkit.ErrCause) {
				t.Errorf("Wait afterwards: %v", err)
			}

			c = xtest.Helper(t, "exit", "3")
			err := run(c, t.Context())
			if _, ok := err.(*xexec.ExitError); !ok || c.Cause() != nil {
				t.Errorf("a failure of its own: %v, Cause %v", err, c.Cause())
			}

			c = xtest.Helper(t, "exit", "0")
			if err := run(c, t.Context()); err != nil || c.Cause() != nil {
				t.Errorf("a success: %v, Cause %v", err, c.Cause())
			}

			c = xtest.Helper(t, "exit", "0")
			err = run(c, testkit.Ended)
			if !errors.Is(err, testkit.ErrCause) || !errors.Is(err, context.Canceled) {
				t.Errorf("with an ended context: %v, want its error and cause", err)
			}
			if c.Process != nil {
				t.Error("an ended context started a process")
			}

			defer func() {
				if recover() == nil {
					t.Error("a nil context does not panic")
				}
			}()
			run(xtest.Helper(t, "exit", "0"), nil)
		})
	}
}

// The context of the start is in force beside that of CommandContext, and
// whichever ends first ends the command.
func TestTwoContexts(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for which := range 2 {
		var ctxs [2]context.Context
		var cancels [2]context.CancelCauseFunc
		for i := range ctxs {
			ctxs[i], cancels[i] = context.WithCancelCause(t.Context())
			defer cancels[i](nil)
		}
		c := xtest.HelperContext(ctxs[0], t, "serve", "0")
		if _, err := c.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := c.StartContext(ctxs[1]); err != nil {
			t.Fatal(err)
		}
		cancels[which](testkit.ErrCause)
		isBoth(t, "Wait", c.Wait(), ctxs[which])
	}
}

// With plain Run and Wait, the error is os/exec's, and Cause tells the reason.
func TestCause(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	ctx, cancel := context.WithCancelCause(t.Context())
	c := xtest.HelperContext(ctx, t, "serve", "0")
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	cancelWhenStarted(t, c, cancel)
	err := c.Run()
	if _, ok := err.(*xexec.ExitError); !ok || errors.Is(err, testkit.ErrCause) {
		t.Errorf("Run: %v, want the plain *ExitError", err)
	}
	if c.Cause() != testkit.ErrCause {
		t.Errorf("Cause: %v", c.Cause())
	}

	c, _ = xtest.StartServing(t, "0")
	c.Kill()
	if err := c.Wait(); err == nil || c.Cause() != nil {
		t.Errorf("Wait of a command that its caller killed: %v, Cause %v", err, c.Cause())
	}
}

// A context may have any error.
func TestContextWhoseErrorIsTheOutputLimit(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.Helper(t, "serve", "0")
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelWhenStarted(t, c, func(error) { cancel() })
	if err := c.RunContext(limited{ctx}); !errors.Is(err, xexec.ErrOutputLimit) {
		t.Errorf("RunContext: %v", err)
	}
}

type limited struct{ context.Context }

func (c limited) Err() error {
	if c.Context.Err() == nil {
		return nil
	}
	return xexec.ErrOutputLimit
}

// A Cancel that fails with another command's exit status does not lend it to this one. As
// under os/exec, Wait without a context of its own returns what Cancel has.
func TestCancelWithAnExitStatusOfItsOwn(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	failed := xtest.Helper(t, "exit", "7").Run()
	for _, own := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		c, start := xtest.Helper(t, "serve", "0"), func(c *xexec.Cmd) error { return c.StartContext(ctx) }
		if own {
			c, start = xtest.HelperContext(ctx, t, "serve", "0"), (*xexec.Cmd).Start
		}
		called := make(chan struct{})
		c.Cancel = func() error {
			close(called)
			return failed
		}
		stdin, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := start(c); err != nil {
			t.Fatal(err)
		}
		cancel()
		<-called
		stdin.Close()
		err = c.Wait()
		var exit *xexec.ExitError
		if errors.As(err, &exit) != own || !errors.Is(err, failed) || err.Error() != "exec: canceling Cmd: exit status 7" {
			t.Errorf("own %v: Wait: %v, with an exit status: %v", own, err, exit != nil)
		}
	}
}

// The failure of a command that exited before its context ended is its own,
// even if nobody had waited by then.
func TestCoincidingFailureIsNotBlamedOnTheContext(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		c := xtest.Helper(t, "serve", "3")
		called := make(chan struct{})
		if i%2 == 1 { // says that it did something
			c.Cancel = func() error { close(called); return nil }
		} else {
			close(called)
		}
		stdin, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.StartContext(ctx); err != nil {
			t.Fatal(err)
		}
		stdin.Close()
		for c.Signal(nil) == nil || c.Signal(nil).Error() != "os: process already finished" {
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-called
		err = c.Wait()
		if _, ok := err.(*xexec.ExitError); !ok || errors.Is(err, context.Canceled) || c.Cause() != nil {
			t.Errorf("Wait: %v, Cause %v, want the plain exit status 3", err, c.Cause())
		}
	}
}

func TestNoGoroutineWatchesAContext(t *testing.T) {
	testkit.NeedDescriptors(t, 250)
	testkit.Deadline(t, testkit.Stuck)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := runtime.NumGoroutine()
	cmds := make([]*xexec.Cmd, 100)
	for i := range cmds {
		cmds[i] = xtest.HelperContext(ctx, t, "serve", "0")
		if _, err := cmds[i].StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := cmds[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	// One or two may be the runtime's, which runs a cleanup.
	if n := runtime.NumGoroutine() - before; n > len(cmds)/10 {
		t.Errorf("%d goroutines for 100 commands that nobody waits for", n)
	}
	cancel()
	for _, c := range cmds {
		if err := c.Wait(); err == nil || c.Cause() != context.Canceled {
			t.Errorf("Wait: %v, Cause %v", err, c.Cause())
		}
	}
}

// The output until the context's end is there when Wait returns.
func TestOutputUntilTheContextEnds(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	ctx, cancel := context.WithCancel(t.Context())
	c := xtest.Helper(t, "serve", "0")
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := testkit.NewReadyWriter()
	c.Stdout = &bothWriters{w, &out}
	if err := c.StartContext(ctx); err != nil {
		t.Fatal(err)
	}
	<-w.Ready
	cancel()
	isBoth(t, "Wait", c.Wait(), ctx)
	if out.String() != "ready\n" {
		t.Errorf("output: %q", out.String())
	}
}

// bothWriters writes to b and then to a.
type bothWriters struct {
	a *testkit.ReadyWriter
	b *bytes.Buffer
}

func (w *bothWriters) Write(p []byte) (int, error) {
	w.b.Write(p)
	return w.a.Write(p)
}

// A context that only os/exec knows, and does not watch because there is neither
// Cancel nor WaitDelay, is no reason to lose output.
func TestOutputWithAContextThatNobodyWatches(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	made := map[string]func(ctx context.Context) *xexec.Cmd{
		"a struct copy": func(ctx context.Context) *xexec.Cmd {
			copied := *xtest.HelperContext(ctx, t, "say", "o:some")
			return &copied
		},
		"os/exec's": func(ctx context.Context) *xexec.Cmd {
			return xexec.FromStd(testkit.CommandContext(ctx, t, "say", "o:some"))
		},
	}
	starts := map[string]func(c *xexec.Cmd) error{
		"Start":        (*xexec.Cmd).Start,
		"StartContext": func(c *xexec.Cmd) error { return c.StartContext(t.Context()) },
	}
	waits := map[string]func(c *xexec.Cmd) error{
		"Wait":        (*xexec.Cmd).Wait,
		"WaitContext": func(c *xexec.Cmd) error { return c.WaitContext(t.Context()) },
	}
	for whose, make := range made {
		for how, start := range starts {
			for which, wait := range waits {
				c := make(t.Context())
				c.Cancel = nil
				out, err := c.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := start(c); err != nil {
					t.Fatal(err)
				}
				if err := wait(c); err != nil {
					t.Errorf("%s, %s: %s: %v", whose, how, which, err)
				}
				if b, err := io.ReadAll(out); string(b) != "some" || err != nil {
					t.Errorf("%s, %s: read after %s: %q, %v", whose, how, which, b, err)
				}
			}
		}
	}
}

// The context is that of the struct.
func TestAssignedOverWithAnotherContext(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	old, cancelOld := context.WithCancel(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	c := xtest.HelperContext(old, t, "exit", "0")
	*c = *xtest.HelperContext(ctx, t, "serve", "0")
	xtest.StartServingCmd(t, c)
	cancelOld()
	cancel()
	if err := c.Wait(); err == nil {
		t.Error("the new context did not end the command")
	}

	// And if it has none, none ends it.
	old, cancelOld = context.WithCancel(t.Context())
	c = xtest.HelperContext(old, t, "exit", "0")
	*c = *xtest.Helper(t, "serve", "0")
	c.WaitDelay = time.Millisecond
	stop := xtest.StartServingCmd(t, c)
	cancelOld()
	if err := c.WaitContext(after50ms(t)); err != context.DeadlineExceeded {
		t.Errorf("WaitContext: %v", err)
	}
	stop()
	// Its WaitDelay holds for its output as ever.
	if err := c.Wait(); err != nil && err != xexec.ErrWaitDelay {
		t.Errorf("the old context ended the new command: %v", err)
	}
}

func after50ms(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// What the caller's Cancel does, or fails to do, disarms nothing: WaitDelay ends the
// command, the other context does, and Wait returns.
func TestWhateverCancelDoes(t *testing.T) {
	cancels := map[string]func(c *xexec.Cmd, stdin io.Closer) error{
		"nothing": func(*xexec.Cmd, io.Closer) error { return nil },
		"fails":   func(*xexec.Cmd, io.Closer) error { return testkit.ErrBroken },
		"says that the process is done, which runs": func(*xexec.Cmd, io.Closer) error { return os.ErrProcessDone },
		"ends its goroutine":                        func(*xexec.Cmd, io.Closer) error { runtime.Goexit(); return nil },
		"kills":                                     func(c *xexec.Cmd, _ io.Closer) error { return c.Kill() },
		"kills the process":                         func(c *xexec.Cmd, _ io.Closer) error { return c.Process.Kill() },
		"kills, and fails":                          func(c *xexec.Cmd, _ io.Closer) error { c.Kill(); return testkit.ErrBroken },
		"closes the pipe":                           func(_ *xexec.Cmd, stdin io.Closer) error { return stdin.Close() },
		"terminates, which may fail":                func(c *xexec.Cmd, _ io.Closer) error { return c.Terminate() },
		"shuts down":                                func(c *xexec.Cmd, _ io.Closer) error { return c.Shutdown(testkit.Ended) },
		"shuts down, and takes it ill":              func(c *xexec.Cmd, _ io.Closer) error { c.Shutdown(testkit.Ended); return testkit.ErrBroken },
		"starts another":                            func(c *xexec.Cmd, _ io.Closer) error { return c.Clone().Kill() },
		"asks for Done":                             func(c *xexec.Cmd, _ io.Closer) error { c.Done(); c.TryWait(); return nil },
		"blocks until the process is dead": func(c *xexec.Cmd, _ io.Closer) error {
			for c.Signal(nil) != os.ErrProcessDone {
				time.Sleep(time.Millisecond)
			}
			return nil
		},
	}
	for name, cancel := range cancels {
		for _, when := range []string{"own", "bound", "both", "own, then bound", "bound, then own", "nobody waits", "os/exec's"} {
			if when == "os/exec's" && (strings.HasPrefix(name, "blocks") || strings.HasPrefix(name, "ends")) {
				continue // its WaitDelay begins when Cancel has returned
			}
			t.Run(name+", "+when, func(t *testing.T) {
				t.Parallel()
				testkit.Deadline(t, testkit.Stuck)
				own, endOwn := context.WithCancel(t.Context())
				defer endOwn()
				bound, endBound := context.WithCancel(t.Context())
				defer endBound()
				c := xtest.HelperContext(own, t, "serve", "0")
				stdin, err := c.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				called := make(chan struct{}, 2)
				c.Cancel = func() error {
					called <- struct{}{}
					return cancel(c, stdin)
				}
				c.WaitDelay = 20 * time.Millisecond
				out := testkit.NewReadyWriter()
				c.Stdout = out
				start := func() error { return c.StartContext(bound) }
				if when == "os/exec's" {
					start = c.Std().Start
				}
				if err := start(); err != nil {
					t.Fatal(err)
				}
				<-out.Ready
				var ends []context.CancelFunc
				switch when {
				case "own", "os/exec's":
					ends = append(ends, endOwn)
				case "bound", "nobody waits":
					ends = append(ends, endBound)
				case "bound, then own":
					ends = append(ends, endBound, endOwn)
				default:
					ends = append(ends, endOwn, endBound)
				}
				ends[0]()
				if when != "both" {
					<-called
				}
				if len(ends) > 1 {
					ends[1]()
				}
				if when == "nobody waits" {
					for c.Signal(nil) != os.ErrProcessDone { // which does not wait either
						time.Sleep(time.Millisecond)
					}
				}
				err = c.Wait()
				if c.ProcessState == nil {
					t.Fatalf("Wait: %v", err)
				}
				if when != "os/exec's" && (err == nil || !errors.Is(err, context.Canceled)) && name != "ends its goroutine" {
					t.Errorf("Wait: %v", err)
				}
			})
		}
	}
}
