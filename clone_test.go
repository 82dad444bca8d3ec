package xexec_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// ptyStart does what functions that take an *exec.Cmd do, such as creack/pty's
// Start: it sets what the caller has left open, starts the command and returns.
func ptyStart(cmd *exec.Cmd) (output *os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = w
	}
	if cmd.Stderr == nil {
		cmd.Stderr = w
	}
	testkit.SetSession(cmd)
	if err := cmd.Start(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// startElsewhere lets os/exec start the command, and returns when it is ready.
func startElsewhere(t *testing.T, c *xexec.Cmd) {
	t.Helper()
	output, err := ptyStart(c.Std())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { output.Close() })
	if _, err := output.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
}

func TestStdAndFromStdAreOneObject(t *testing.T) {
	c := xexec.Command("name", "arg")
	if xexec.FromStd(c.Std()) != c || c.Std().Path != c.Path {
		t.Error("FromStd(c.Std()) is not c")
	}
	c.Std().Dir = "/"
	if c.Dir != "/" {
		t.Error("what is set on one side is not seen on the other")
	}
}

func TestCommandStartedByOsExec(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.Helper(t, "serve", "7")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	startElsewhere(t, c)
	if c.Process == nil || c.Pid() != c.Process.Pid {
		t.Fatalf("Process %v, Pid %d", c.Process, c.Pid())
	}
	if err := c.Start(); err == nil || err.Error() != "exec: already started" {
		t.Errorf("Start: %v", err)
	}
	if done, err := c.TryWait(); done || err != nil {
		t.Errorf("TryWait: %v, %v", done, err)
	}
	if err := c.WaitContext(testkit.Ended); !errors.Is(err, testkit.ErrCause) {
		t.Errorf("WaitContext: %v", err)
	}
	var waiters sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		waiters.Go(func() { errs[i] = c.Wait() })
	}
	stdin.Close()
	<-c.Done()
	waiters.Wait()
	for _, err := range errs {
		if err == nil || err != errs[0] || err.Error() != "exit status 7" {
			t.Errorf("Wait: %v", err)
		}
	}
	if err := c.Kill(); err != os.ErrProcessDone {
		t.Errorf("Kill: %v", err)
	}
	if err := c.Shutdown(testkit.Ended); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if c.ProcessState.ExitCode() != 7 {
		t.Errorf("ProcessState: %v", c.ProcessState)
	}
}

func TestKillAndShutdownOfCommandStartedByOsExec(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for name, stop := range map[string]func(*xexec.Cmd) error{
		"Kill":     (*xexec.Cmd).Kill,
		"Shutdown": func(c *xexec.Cmd) error { c.Shutdown(testkit.Ended); return nil },
	} {
		c := xtest.Helper(t, "serve", "0")
		if _, err := c.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		startElsewhere(t, c)
		done := c.Done()
		if err := stop(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		<-done
		if err := c.Wait(); err == nil {
			t.Errorf("Wait after %s: nil", name)
		}
	}
}

// The context of a command is in force whoever starts it, and Cause tells of it.
func TestContextOfCommandStartedByOsExec(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for name, output := range map[string]io.Writer{"file": nil, "copied": testkit.NewReadyWriter()} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			c := xtest.HelperContext(ctx, t, "serve", "0")
			if _, err := c.StdinPipe(); err != nil {
				t.Fatal(err)
			}
			if w, ok := output.(*testkit.ReadyWriter); ok {
				c.Stdout = w
				if err := c.Std().Start(); err != nil {
					t.Fatal(err)
				}
				<-w.Ready
			} else {
				startElsewhere(t, c)
			}
			cancel(testkit.ErrCause)
			if err := c.Wait(); err == nil {
				t.Error("Wait: nil")
			}
			if c.Cause() != testkit.ErrCause {
				t.Errorf("Cause: %v", c.Cause())
			}
		})
	}
}

// The other way: a command of os/exec's, with a context that only os/exec can
// name, is started and shared here.
func TestOsExecsCommandStartedHere(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for _, delay := range []time.Duration{0, testkit.Stuck} {
		ctx, cancel := context.WithCancel(t.Context())
		c := xexec.FromStd(testkit.CommandContext(ctx, t, "serve", "0"))
		c.WaitDelay = delay
		xtest.StartServingCmd(t, c)
		var waiters sync.WaitGroup
		for range 5 {
			waiters.Go(func() {
				if err := c.Wait(); err == nil {
					t.Error("Wait: nil")
				}
			})
		}
		cancel()
		waiters.Wait()
	}
}

// A copy of a command with a context is ended by it; under os/exec it is not the
// copy that is killed.
func TestCopyOfCommandWithContext(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	ctx, cancel := context.WithCancel(t.Context())
	original := xtest.HelperContext(ctx, t, "serve", "0")
	copied := *original
	c := &copied
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := c.Wait(); err == nil {
		t.Error("Wait: nil")
	}
}

// The other side may have waited already.
func TestCommandWaitedForByOsExec(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.Helper(t, "exit", "3")
	if err := c.Std().Run(); err == nil {
		t.Fatal("exit 3 succeeded")
	}
	for range 2 {
		if err := c.Wait(); err == nil || err.Error() != "exit status 3" {
			t.Errorf("Wait: %v", err)
		}
	}
	<-c.Done()
	if err := c.Kill(); err != os.ErrProcessDone {
		t.Errorf("Kill: %v", err)
	}
}

// A pipe made here works for a command started there: it ends, and loses nothing.
func TestPipesOfCommandStartedByOsExec(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for _, first := range []string{"read", "wait"} {
		c := xtest.Helper(t, "write", "1000", "2000")
		stdout, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		stderr, err := c.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Std().Start(); err != nil {
			t.Fatal(err)
		}
		if first == "wait" {
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		}
		for r, want := range map[io.Reader]int{stdout: 1000, stderr: 2000} {
			if b, err := io.ReadAll(r); err != nil || len(b) != want {
				t.Errorf("%s first: %d bytes, %v, want %d", first, len(b), err, want)
			}
		}
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestClone(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	ctx, cancel := context.WithCancel(t.Context())
	c := xtest.HelperContext(ctx, t, "serve", "3")
	c.Dir, c.Env, c.WaitDelay = t.TempDir(), os.Environ(), time.Minute
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}

	d := c.Clone()
	if d.Process != nil || d.ProcessState != nil || d.Stdin != nil || d.Stdout != nil {
		t.Errorf("the clone has parts of a started command: %+v", d)
	}
	for _, field := range []string{"Path", "Args", "Dir", "Env", "WaitDelay"} {
		of := func(c *xexec.Cmd) any { return reflect.ValueOf(c).Elem().FieldByName(field).Interface() }
		if !reflect.DeepEqual(of(c), of(d)) {
			t.Errorf("%s of the clone is %v, want %v", field, of(d), of(c))
		}
	}
	if out, err := d.Output(); string(out) != "ready\n" || err == nil || err.Error() != "exit status 3" {
		t.Errorf("Output of the clone: %q, %v", out, err)
	}
	if out, err := d.Clone().Output(); string(out) != "ready\n" || err == nil || err.Error() != "exit status 3" {
		t.Errorf("Output of the clone's clone: %q, %v", out, err)
	}

	// The default Cancel is for the clone, and the context is the original's.
	e := c.Clone()
	xtest.StartServingCmd(t, e)
	if err := e.Cancel(); err != nil {
		t.Error(err)
	}
	if err := e.Wait(); err == nil {
		t.Error("the clone's Cancel did not end it")
	}
	if done, err := c.TryWait(); done {
		t.Errorf("the clone's Cancel ended the original: %v", err)
	}
	cancel()
	c.Wait()
	if err := c.Clone().Run(); !errors.Is(err, context.Canceled) {
		t.Errorf("the clone of a command whose context has ended: %v", err)
	}
}

// A command that os/exec has started can be cloned and run again, too.
func TestCloneOfCommandStartedByOsExec(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.Helper(t, "exit", "3")
	for range 3 {
		if err := c.Std().Run(); err == nil || err.Error() != "exit status 3" {
			t.Errorf("Run: %v", err)
		}
		c = c.Clone()
	}
}

// An embedding has a command by pointer, an embeddingValue by value.
type (
	embedding      struct{ *xexec.Cmd }
	embeddingValue struct{ xexec.Cmd }
)

// However the Cancel of the original came to mean it, the clone's means the clone.
func TestCancelOfCloneIsItsOwn(t *testing.T) {
	for name, prepare := range map[string]func(c *xexec.Cmd) *xexec.Cmd{
		"default":   func(c *xexec.Cmd) *xexec.Cmd { return c },
		"os/exec's": nil,
		"Kill":      func(c *xexec.Cmd) *xexec.Cmd { c.Cancel = c.Kill; return c },
		"Terminate": func(c *xexec.Cmd) *xexec.Cmd { c.Cancel = c.Terminate; return c },
		"of the same object": func(c *xexec.Cmd) *xexec.Cmd {
			c.Cancel = xexec.FromStd(c.Std()).Kill
			return c
		},
		"of an embedded pointer": func(c *xexec.Cmd) *xexec.Cmd { c.Cancel = embedding{c}.Kill; return c },
		"of an embedded value": func(c *xexec.Cmd) *xexec.Cmd {
			e := &embeddingValue{*c}
			e.Cancel = e.Kill
			return &e.Cmd
		},
		"a struct copy's":      func(c *xexec.Cmd) *xexec.Cmd { copied := *c; return &copied },
		"a clone's":            (*xexec.Cmd).Clone,
		"a clone's with Kill":  func(c *xexec.Cmd) *xexec.Cmd { c.Cancel = c.Kill; return c.Clone() },
		"a copy of a clone":    func(c *xexec.Cmd) *xexec.Cmd { copied := *c.Clone(); return &copied },
		"none, with WaitDelay": func(c *xexec.Cmd) *xexec.Cmd { c.Cancel, c.WaitDelay = nil, time.Millisecond; return c },
		"none, with a grace":   func(c *xexec.Cmd) *xexec.Cmd { c.Cancel = nil; c.SetGracePeriod(time.Millisecond); return c },
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			make := func() *xexec.Cmd {
				if prepare == nil {
					return xexec.FromStd(testkit.CommandContext(ctx, t, "serve", "0"))
				}
				return prepare(xtest.HelperContext(ctx, t, "serve", "0"))
			}

			// The original runs, moved or not, and the clone has a context beside.
			c := make()
			xtest.StartServingCmd(t, c)
			moved := *c
			for _, of := range []*xexec.Cmd{c, &moved} {
				d := of.Clone()
				if _, err := d.StdinPipe(); err != nil {
					t.Fatal(err)
				}
				bound, end := context.WithCancel(t.Context())
				d.Stdout = nil
				if err := d.StartContext(bound); err != nil {
					t.Fatal(err)
				}
				end()
				if err := d.Wait(); !errors.Is(err, context.Canceled) {
					t.Errorf("Wait: %v", err)
				}
				if done, err := c.TryWait(); done {
					t.Errorf("the original has ended: %v", err)
				}
			}

			// The original was never started, and the context is its own.
			d := make().Clone()
			xtest.StartServingCmd(t, d)
			// So was the original's clone.
			e := d.Clone()
			// And if os/exec starts it, the context calls the Cancel that is set.
			if f := make().Clone(); f.Cancel != nil {
				if _, err := f.StdinPipe(); err != nil {
					t.Fatal(err)
				}
				if err := f.Std().Start(); err != nil {
					t.Fatal(err)
				}
				defer func() {
					if runtime.GOOS == "windows" {
						f.Kill() // a Terminate that cannot be sent ends nothing there
					}
					f.Wait()
				}()
			}
			cancel()
			if err := d.Wait(); err == nil || d.Cause() != context.Canceled {
				t.Errorf("Wait: %v, Cause %v", err, d.Cause())
			}
			if err := e.Start(); !errors.Is(err, context.Canceled) {
				t.Errorf("Start of a clone of a running command whose context has ended: %v", err)
			}
		})
	}
}

// Whatever has become of a command, its clone has the configuration that the caller
// made, and can be run and read.
func TestCloneHasNothingThatMethodsMade(t *testing.T) {
	run := func(c *xexec.Cmd) { c.Run() }
	pipes := func(c *xexec.Cmd) {
		for _, err := range []error{second(c.StdinPipe()), second(c.StdoutPipe()), second(c.StderrPipe())} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	stdPipes := func(c *xexec.Cmd) {
		for _, err := range []error{second(c.Std().StdinPipe()), second(c.Std().StdoutPipe()), second(c.Std().StderrPipe())} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, use := range map[string]func(c *xexec.Cmd){
		"nothing":                func(c *xexec.Cmd) {},
		"Run":                    run,
		"os/exec's Run":          func(c *xexec.Cmd) { c.Std().Run() },
		"Output":                 func(c *xexec.Cmd) { c.Output() },
		"CombinedOutput":         func(c *xexec.Cmd) { c.CombinedOutput() },
		"OutputContext":          func(c *xexec.Cmd) { c.OutputContext(t.Context()) },
		"a failed Output":        func(c *xexec.Cmd) { path := c.Path; c.Path = "/no such file"; c.Output(); c.Path = path },
		"pipes":                  pipes,
		"pipes, Run":             func(c *xexec.Cmd) { pipes(c); run(c) },
		"pipes, a failed Start":  func(c *xexec.Cmd) { pipes(c); path := c.Path; c.Path = "/no such file"; c.Start(); c.Path = path },
		"os/exec's pipes":        stdPipes,
		"os/exec's pipes, Run":   func(c *xexec.Cmd) { stdPipes(c); run(c) },
		"a command that may run": func(c *xexec.Cmd) { pipes(c); c.Start(); t.Cleanup(func() { c.Kill(); c.Wait() }) },
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)
			c := xtest.Helper(t, "say", "o:out", "e:err", "x:3")
			use(c)
			d := c.Clone()
			if d.Stdin != nil || d.Stdout != nil || d.Stderr != nil || d.Process != nil || d.ProcessState != nil || d.Err != nil {
				t.Errorf("the clone has %T %v, %T %v, %T %v, %v, %v", d.Stdin, d.Stdin, d.Stdout, d.Stdout, d.Stderr, d.Stderr, d.Process, d.Err)
			}
			out, err := d.Output()
			var exit *xexec.ExitError
			if string(out) != "out" || !errors.As(err, &exit) || string(exit.Stderr) != "err" {
				t.Errorf("Output of the clone: %q, %v", out, err)
			}
			c.Kill()
			c.Wait()
		})
	}
}

func second[T any](_ T, err error) error { return err }
