package xexec_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
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
