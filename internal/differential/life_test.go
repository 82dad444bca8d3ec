package differential_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

var orderCases = []diffCase{
	{"Wait before Start", "exec: not started", func(r *report, p xtest.Package) {
		c := p.Helper(r, "exit", "0")
		r.wait(c)
		r.run(c)
	}},
	{"a second Start", "exec: already started", func(r *report, p xtest.Package) {
		c := p.Helper(r, "cat")
		in, _ := c.StdinPipe()
		out, _ := c.StdoutPipe()
		if r.start(c) {
			r.err("second Start", c.Start())
			_, err := io.WriteString(in, "still open")
			r.err("Write", err)
			r.err("Close", in.Close())
			b, err := io.ReadAll(out)
			r.note("ReadAll", string(b))
			r.err("ReadAll", err)
			r.wait(c)
			r.err("third Start", c.Start())
			r.err("Run", c.Run())
		}
	}},
	{"Start after a failed one", "exec: already started", func(r *report, p xtest.Package) {
		c := p.Helper(r, "exit", "0")
		path := c.Std().Path
		c.Std().Path = "/no/such/program"
		r.err("Start", c.Start())
		c.Std().Path = path
		r.err("second Start", c.Start())
		r.wait(c)
	}},
	{"Output twice", "exec: Stdout already set", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:some")
		r.output(c)
		r.output(c)
		_, err := c.CombinedOutput()
		r.err("CombinedOutput", err)
	}},
	{"Output with Stdout set", "exec: Stdout already set", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:some", "e:other")
		c.Std().Stdout = io.Discard
		r.output(c)
		_, err := c.CombinedOutput()
		r.err("CombinedOutput", err)
		_, err = c.StdoutPipe()
		r.err("StdoutPipe", err)
		r.run(c)
	}},
	{"CombinedOutput with Stderr set", "exec: Stderr already set", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:some", "e:other")
		c.Std().Stderr = io.Discard
		_, err := c.CombinedOutput()
		r.err("CombinedOutput", err)
		_, err = c.StderrPipe()
		r.err("StderrPipe", err)
		r.output(c)
	}},
	{"StdinPipe with Stdin set", "exec: Stdin already set", func(r *report, p xtest.Package) {
		c := p.Helper(r, "cat")
		c.Std().Stdin = strings.NewReader("some")
		_, err := c.StdinPipe()
		r.err("StdinPipe", err)
		r.output(c)
	}},
	{"pipes twice", "exec: Stdin already set", func(r *report, p xtest.Package) {
		c := p.Helper(r, "exit", "0")
		for range 2 {
			_, err := c.StdinPipe()
			r.err("StdinPipe", err)
			_, err = c.StdoutPipe()
			r.err("StdoutPipe", err)
			_, err = c.StderrPipe()
			r.err("StderrPipe", err)
		}
		r.run(c)
	}},
	{"pipes after Start", "exec: StderrPipe after process started", func(r *report, p xtest.Package) {
		c := p.Helper(r, "exit", "0")
		if r.start(c) {
			_, err := c.StdinPipe()
			r.err("StdinPipe", err)
			_, err = c.StdoutPipe()
			r.err("StdoutPipe", err)
			_, err = c.StderrPipe()
			r.err("StderrPipe", err)
			r.wait(c)
		}
	}},
	{"Output after StdoutPipe", "exec: Stdout already set", func(r *report, p xtest.Package) {
		c := p.Helper(r, "exit", "0")
		_, err := c.StdoutPipe()
		r.err("StdoutPipe", err)
		r.output(c)
		r.run(c)
	}},
	{"pipes of a failed Start are closed", "file already closed", func(r *report, p xtest.Package) {
		c := p.Command("/no/such/program")
		in, _ := c.StdinPipe()
		out, _ := c.StdoutPipe()
		r.err("Start", c.Start())
		_, err := in.Write([]byte("x"))
		r.err("Write", err)
		_, err = out.Read(make([]byte, 1))
		r.note("Read is ErrClosed", errors.Is(err, os.ErrClosed))
	}},
	{"Process methods after Wait", "process already finished", func(r *report, p xtest.Package) {
		c := p.Helper(r, "exit", "0")
		r.run(c)
		r.err("Kill", c.Std().Process.Kill())
		r.err("Signal", c.Std().Process.Signal(os.Kill))
		r.err("Release", c.Std().Process.Release())
	}},
	{"a literal with a Process", "exit status 3", func(r *report, p xtest.Package) {
		exe, argv := testkit.NeedHelper(r, "exit", "3")
		proc, err := os.StartProcess(exe, append([]string{exe}, argv...), &os.ProcAttr{})
		r.err("StartProcess", err)
		r.wait(p.From(&exec.Cmd{Process: proc}))
	}},
	{"Process.Kill", "killed", func(r *report, p xtest.Package) {
		c := p.Helper(r, "serve", "0")
		_, err := c.StdinPipe()
		r.err("StdinPipe", err)
		xtest.StartReady(r, c)
		r.err("Kill", c.Std().Process.Kill())
		r.wait(c)
	}},
}

// served starts a helper command that ends with the code when finish is
// called, and is otherwise as set says.
func served(ctx context.Context, r *report, p xtest.Package, code int, set func(c *exec.Cmd, finish func())) xtest.Command {
	c := p.HelperContext(ctx, r, "serve", fmt.Sprint(code))
	in, err := c.StdinPipe()
	r.err("StdinPipe", err)
	if set != nil {
		set(c.Std(), func() { in.Close() })
	}
	xtest.StartReady(r, c)
	return c
}

// cancelling is a case in which the context ends while the command runs, and
// Cancel ends the command with the code and returns the error.
func cancelling(name, shows string, code int, cancelErr error) diffCase {
	return diffCase{name, shows, func(r *report, p xtest.Package) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		calls := 0
		c := served(ctx, r, p, code, func(c *exec.Cmd, finish func()) {
			c.Cancel = func() error { calls++; finish(); return cancelErr }
		})
		cancel()
		err := c.Wait()
		r.err("Wait", err)
		r.note("is what Cancel returned", cancelErr != nil && errors.Is(err, cancelErr))
		r.state(c)
		r.note("calls of Cancel", calls)
	}}
}

var contextCases = []diffCase{
	{"not done", "success true", func(r *report, p xtest.Package) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		r.run(p.HelperContext(ctx, r, "exit", "0"))
	}},
	{"not done, exit 3", "exit status 3", func(r *report, p xtest.Package) {
		r.run(p.HelperContext(context.Background(), r, "exit", "3"))
	}},
	{"done before Start", "context canceled", func(r *report, p xtest.Package) {
		ctx, cancel := context.WithCancelCause(r.Context())
		cancel(testkit.ErrBroken)
		noCommand(r, p.HelperContext(ctx, r, "exit", "0"))
	}},
	{"expired before Start", "context deadline exceeded", func(r *report, p xtest.Package) {
		ctx, cancel := context.WithTimeout(r.Context(), -1)
		defer cancel()
		noCommand(r, p.HelperContext(ctx, r, "exit", "0"))
	}},
	{"done, and no such program", "not found", func(r *report, p xtest.Package) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		noCommand(r, p.CommandContext(ctx, "no-such-program"))
	}},
	{"cancelled", "signal: killed", func(r *report, p xtest.Package) {
		ctx, cancel := context.WithCancelCause(r.Context())
		c := served(ctx, r, p, 0, nil)
		cancel(testkit.ErrBroken)
		r.wait(c)
	}},
	{"deadline", "signal: killed", func(r *report, p xtest.Package) {
		// The command must be running when the deadline comes.
		for d := 500 * time.Millisecond; ; d *= 2 {
			ctx, cancel := context.WithTimeout(r.Context(), d)
			c := p.HelperContext(ctx, r, "serve", "0")
			in, err := c.StdinPipe()
			if err != nil {
				r.Fatal(err)
			}
			if err := c.Start(); err == nil {
				r.wait(c)
				cancel()
				in.Close()
				return
			}
			cancel()
		}
	}},
	{"done after the end", "success true", func(r *report, p xtest.Package) {
		ctx, cancel := context.WithCancel(r.Context())
		c := p.HelperContext(ctx, r, "exit", "0")
		r.run(c)
		cancel()
		r.state(c)
	}},
	cancelling("Cancel nil error, exit 0", "context canceled", 0, nil),
	cancelling("Cancel nil error, exit 3", "exit status 3", 3, nil),
	cancelling("Cancel fails, exit 0", "exec: canceling Cmd: "+testkit.ErrBroken.Error(), 0, testkit.ErrBroken),
	cancelling("Cancel fails, exit 3", "exit status 3", 3, testkit.ErrBroken),
	cancelling("Cancel says done, exit 0", "success true", 0, os.ErrProcessDone),
	cancelling("Cancel says done in other words", "success true", 0, fmt.Errorf("gone: %w", os.ErrProcessDone)),
	cancelling("Cancel says done, exit 3", "exit status 3", 3, os.ErrProcessDone),
	{"Cancel nil", "success true", func(r *report, p xtest.Package) {
		ctx, cancel := context.WithCancel(r.Context())
		var finish func()
		c := served(ctx, r, p, 0, func(c *exec.Cmd, f func()) { c.Cancel, finish = nil, f })
		cancel()
		finish()
		r.wait(c)
	}},
	{"Cancel without a context", "exec: command with a non-nil Cancel was not created", func(r *report, p xtest.Package) {
		c := p.Helper(r, "exit", "0")
		c.Std().Cancel = func() error { return nil }
		noCommand(r, c)
	}},
	{"nil context", "nil Context", func(r *report, p xtest.Package) {
		var none context.Context
		r.panics("CommandContext", func() { p.CommandContext(none, "name") })
	}},
	{"a copy with a context", "context canceled", func(r *report, p xtest.Package) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		c := p.HelperContext(ctx, r, "serve", "0")
		c.Std().Cancel = nil
		twin := *c.Std()
		var in io.Closer
		twin.Cancel = func() error { return in.Close() }
		copied := p.From(&twin)
		in, _ = copied.StdinPipe()
		xtest.StartReady(r, copied)
		cancel()
		r.wait(copied)
	}},
}

// Of the two delays, the shorter only has to expire. In the longer, it must be
// seen that a child has ended: one that has closed its files before the delay began.
const (
	short = 100 * time.Millisecond
	long  = 2 * time.Second
)

// holding returns a command that leaves a process behind, which keeps its
// output open.
func holding(ctx context.Context, r *report, p xtest.Package, args ...string) (c xtest.Command, out *testkit.ReadyWriter) {
	c = p.HelperContext(ctx, r, "hold", append([]string{testkit.HolderAddr(r)}, args...)...)
	c.Std().WaitDelay = short
	out = testkit.NewReadyWriter()
	c.Std().Stdout = out
	return c, out
}

var delayCases = []diffCase{
	{"nothing to wait for", "success true", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:some")
		c.Std().WaitDelay = time.Hour
		r.output(c)
	}},
	{"a held pipe, exit 0", "exec: WaitDelay expired before I/O complete", func(r *report, p xtest.Package) {
		c, out := holding(r.Context(), r, p, "say", "o:some", "r:")
		runUntil(r, c, func() { <-out.Ready })
		r.note("output", out)
	}},
	{"a held pipe, exit 3", "exit status 3", func(r *report, p xtest.Package) {
		c, out := holding(r.Context(), r, p, "say", "o:some", "r:", "x:3")
		runUntil(r, c, func() { <-out.Ready })
		r.note("output", out)
	}},
	{"a held pipe, Output", "output: \"some\"", func(r *report, p xtest.Package) {
		c, _ := holding(r.Context(), r, p, "say", "o:some", "e:other", "d:", "x:3")
		c.Std().Stdout = nil
		r.output(c)
	}},
	{"a held pipe, without context", "exec: WaitDelay expired before I/O complete", func(r *report, p xtest.Package) {
		c := p.Helper(r, "hold", testkit.HolderAddr(r), "say", "e:some", "r:")
		err := testkit.NewReadyWriter()
		c.Std().Stderr, c.Std().WaitDelay = err, short
		runUntil(r, c, func() { <-err.Ready })
		r.note("error output", err)
	}},
	{"a held pipe and a failing writer", testkit.ErrBroken.Error(), func(r *report, p xtest.Package) {
		c, _ := holding(r.Context(), r, p, "say", "o:some", "r:")
		writer := make(chan string, 1)
		c.Std().Stdout = writerFunc(func([]byte) (int, error) {
			writer <- goroutineName()
			return 0, testkit.ErrBroken
		})
		runUntil(r, c, func() { // the error is known
			for name := <-writer; strings.Contains(testkit.Stacks(), name); {
				time.Sleep(time.Millisecond)
			}
		})
	}},
	{"a held pipe, cancelled", "signal: killed", heldAndCancelled(nil)},
	{"a held pipe, no Cancel", "signal: killed", heldAndCancelled(func(c *exec.Cmd, _ func()) { c.Cancel = nil })},
	{"a held pipe, Cancel does nothing", "signal: killed", heldAndCancelled(func(c *exec.Cmd, _ func()) {
		c.Cancel = func() error { return nil }
	})},
	{"a held pipe, Cancel fails", "signal: killed", heldAndCancelled(func(c *exec.Cmd, _ func()) {
		c.Cancel = func() error { return testkit.ErrBroken }
	})},
	{"a held pipe, Cancel ends it", "context canceled", heldAndCancelled(func(c *exec.Cmd, finish func()) {
		c.Cancel, c.WaitDelay = func() error { finish(); return nil }, long
	})},
	{"a held pipe, Cancel ends it and fails", "canceling Cmd", heldAndCancelled(func(c *exec.Cmd, finish func()) {
		c.Cancel, c.WaitDelay = func() error { finish(); return testkit.ErrBroken }, long
	})},
	{"a held pipe, Cancel says done", "exec: WaitDelay expired", heldAndCancelled(func(c *exec.Cmd, finish func()) {
		c.Cancel, c.WaitDelay = func() error { finish(); return os.ErrProcessDone }, long
	})},
}

// runUntil runs a command that ends when its input does, which is after f.
func runUntil(r *report, c xtest.Command, f func()) {
	in, err := c.StdinPipe()
	r.err("StdinPipe", err)
	if r.start(c) {
		f()
		r.err("Close", in.Close())
		r.wait(c)
	}
}

// heldAndCancelled is a case in which the context ends while the command runs,
// and what it leaves behind holds the pipe.
func heldAndCancelled(set func(c *exec.Cmd, finish func())) func(r *report, p xtest.Package) {
	return func(r *report, p xtest.Package) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		c, out := holding(ctx, r, p, "say", "o:ready", "r:")
		in, err := c.StdinPipe()
		r.err("StdinPipe", err)
		if set != nil {
			set(c.Std(), func() {
				// Nobody reads any more when the child is about to be dead.
				for err := error(nil); err == nil; time.Sleep(time.Millisecond) {
					_, err = in.Write([]byte("x"))
				}
			})
		}
		if r.start(c) {
			<-out.Ready
			cancel()
			r.wait(c)
			r.note("output", out)
		}
	}
}
