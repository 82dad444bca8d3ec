//go:build unix

package xexec_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() { nullSignal = syscall.Signal(0) }

func init() {
	testkit.Register("stoppable", helperStoppable)
}

// helperStoppable says that it is ready, and then exits with a code that tells
// which stop signal it got; with "stubborn", it goes on until it is killed, with
// "count" until its input ends, and its code is then the number of signals.
func helperStoppable(args []string) int {
	stop := make(chan os.Signal, 100)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGUSR1)
	fmt.Println("ready")
	switch {
	case len(args) > 0 && args[0] == "stubborn":
		for range stop {
		}
	case len(args) > 0 && args[0] == "count":
		<-stop
		fmt.Println("stopping")
		io.Copy(io.Discard, os.Stdin)
		return 1 + len(stop)
	}
	switch <-stop {
	case syscall.SIGTERM:
		return 15
	default:
		return 16
	}
}

func startStoppable(t testing.TB, c *xexec.Cmd) *xexec.Cmd {
	t.Helper()
	xtest.StartReady(t, xtest.X.From(c.Std()))
	t.Cleanup(func() {
		c.Kill()
		c.Wait()
	})
	return c
}

func after(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), d, testkit.ErrCause)
	t.Cleanup(cancel)
	return ctx
}

func TestTerminate(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := startStoppable(t, xtest.Helper(t, "stoppable"))
	if err := c.Terminate(); err != nil {
		t.Error(err)
	}
	if err := c.Wait(); err == nil || err.Error() != "exit status 15" {
		t.Errorf("Wait: %v, want what SIGTERM makes it say", err)
	}
	if err := c.Terminate(); err != os.ErrProcessDone {
		t.Errorf("Terminate after the exit: %v", err)
	}

	c = xtest.Helper(t, "stoppable")
	c.SetStopSignal(syscall.SIGUSR1)
	startStoppable(t, c)
	c.SetStopSignal(syscall.SIGKILL) // too late to change anything
	if err := c.Terminate(); err != nil {
		t.Error(err)
	}
	if err := c.Wait(); err == nil || err.Error() != "exit status 16" {
		t.Errorf("Wait: %v, want what SIGUSR1 makes it say", err)
	}
}

func TestTerminateAsCancel(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	ctx, cancel := context.WithCancel(t.Context())
	c := xtest.HelperContext(ctx, t, "stoppable")
	c.Cancel = c.Terminate
	startStoppable(t, c)
	cancel()
	if err := c.Wait(); err == nil || err.Error() != "exit status 15" {
		t.Errorf("Wait: %v, want what SIGTERM makes it say", err)
	}
	if c.Cause() != context.Canceled {
		t.Errorf("Cause: %v", c.Cause())
	}

	ctx, cancel = context.WithCancel(t.Context())
	c = xtest.HelperContext(ctx, t, "stoppable", "stubborn")
	c.Cancel, c.WaitDelay = c.Terminate, 50*time.Millisecond
	startStoppable(t, c)
	cancel()
	if err := c.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("Wait: %v, want the kill when WaitDelay is over", err)
	}
}

func TestShutdown(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	t.Run("in time", func(t *testing.T) {
		c := startStoppable(t, xtest.Helper(t, "stoppable"))
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				if err := c.Shutdown(t.Context()); err != nil {
					t.Errorf("Shutdown: %v", err)
				}
				if done, err := c.TryWait(); !done || err.Error() != "exit status 15" {
					t.Errorf("TryWait after Shutdown: %v, %v", done, err)
				}
			})
		}
		callers.Wait()
		if c.Cause() != nil {
			t.Errorf("Cause of a command that ended in time: %v", c.Cause())
		}
	})
	t.Run("killed", func(t *testing.T) {
		c := startStoppable(t, xtest.Helper(t, "stoppable", "stubborn"))
		var callers sync.WaitGroup
		for i := range 20 {
			callers.Go(func() {
				ctx := after(t, 50*time.Millisecond)
				if i%2 == 1 {
					ctx = t.Context() // learns what the others had to do
				}
				if err := c.Shutdown(ctx); !errors.Is(err, testkit.ErrCause) {
					t.Errorf("Shutdown: %v, want the context's cause", err)
				}
			})
		}
		callers.Wait()
		if err := c.Wait(); err.Error() != "signal: killed" {
			t.Errorf("Wait: %v", err)
		}
		if c.Cause() != testkit.ErrCause {
			t.Errorf("Cause: %v", c.Cause())
		}
		if err := c.Shutdown(t.Context()); !errors.Is(err, testkit.ErrCause) {
			t.Errorf("another Shutdown: %v, want the same answer", err)
		}
	})
	t.Run("context ended", func(t *testing.T) {
		c := startStoppable(t, xtest.Helper(t, "stoppable", "stubborn"))
		if err := c.Shutdown(testkit.Ended); !errors.Is(err, testkit.ErrCause) {
			t.Errorf("Shutdown: %v, want the context's cause", err)
		}
	})
	t.Run("after the exit", func(t *testing.T) {
		c := xtest.Helper(t, "exit", "3")
		if err := c.Run(); err == nil {
			t.Fatal("exit 3 succeeded")
		}
		if err := c.Shutdown(testkit.Ended); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	t.Run("beside Wait", func(t *testing.T) {
		c := startStoppable(t, xtest.Helper(t, "stoppable"))
		waited := make(chan error)
		go func() { waited <- c.Wait() }()
		if err := c.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-waited; err.Error() != "exit status 15" {
			t.Errorf("Wait: %v", err)
		}
	})
	t.Run("killed by somebody else", func(t *testing.T) {
		c := startStoppable(t, xtest.Helper(t, "stoppable", "stubborn"))
		go c.Kill()
		if err := c.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// One stop signal asks; a second one makes many programs give up on cleaning up.
func TestShutdownSendsTheStopSignalOnce(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.Helper(t, "stoppable", "count")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	lines.Scan()
	var callers sync.WaitGroup
	callers.Go(func() { c.Shutdown(t.Context()) })
	lines.Scan()
	for range 5 {
		waits := &tellingContext{Context: t.Context(), asked: make(chan struct{})}
		callers.Go(func() { c.Shutdown(waits) })
		<-waits.asked
	}
	stdin.Close()
	callers.Wait()
	if err := c.Wait(); err == nil || err.Error() != "exit status 1" {
		t.Errorf("Wait: %v, want exit status 1 for one signal", err)
	}
}

// A tellingContext tells when somebody waits for it.
type tellingContext struct {
	context.Context
	asked chan struct{}
	once  sync.Once
}

func (c *tellingContext) Done() <-chan struct{} {
	c.once.Do(func() { close(c.asked) })
	return c.Context.Done()
}

// The grace is over when the command is gone, also if it is a Cancel that waits
// for it, which Wait waits for.
func TestShutdownAsCancel(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for _, args := range [][]string{nil, {"stubborn"}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		c := xtest.Helper(t, "stoppable", args...)
		stopped := make(chan error, 1)
		c.Cancel = func() error {
			grace := testkit.Stuck * 2 // longer than the test may take
			if args != nil {
				grace = 50 * time.Millisecond
			}
			err := c.Shutdown(after(t, grace))
			stopped <- err
			return nil
		}
		w := testkit.NewReadyWriter()
		c.Stdout = w
		if err := c.StartContext(ctx); err != nil {
			t.Fatal(err)
		}
		<-w.Ready
		why := errors.New("why")
		cancel(why)
		err := c.Wait()
		if !errors.Is(err, why) {
			t.Errorf("Wait: %v, want one that is also the cause", err)
		}
		want := error(nil)
		if args != nil {
			want = testkit.ErrCause
		}
		if err := <-stopped; !errors.Is(err, want) {
			t.Errorf("Shutdown: %v, want %v", err, want)
		}
	}
}

// Shutdown waits for a descendant that holds the output open only for as long
// as ctx allows, and then tells the truth: the command itself ended in time.
func TestShutdownWithHeldOutput(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.Helper(t, "hold", testkit.HolderAddr(t), "stoppable")
	xtest.StartReady(t, xtest.X.From(c.Std()))
	ctx, cancel := context.WithCancelCause(t.Context())
	var waiter sync.WaitGroup
	waiter.Go(func() {
		defer cancel(testkit.ErrCause)
		for end := time.Now().Add(testkit.Stuck / 2); c.Signal(syscall.Signal(0)) == nil && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	})
	defer waiter.Wait()
	if err := c.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := c.Kill(); err != os.ErrProcessDone {
		t.Errorf("Kill: %v", err)
	}
}

// A command that has written too much is over, whoever holds its other pipe.
func TestOutputLimitBesideADescendant(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xexec.Command("sh", "-c", "sleep 1000 & echo $!; yes")
	c.SetOutputLimit(12)
	out, err := c.Output()
	pid := 0
	fmt.Sscan(string(out), &pid)
	if pid == 0 || len(out) != 12 || !errors.Is(err, xexec.ErrOutputLimit) {
		t.Fatalf("%q, %v", out, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error("the descendant:", err)
	}
}

// A Cancel that still runs keeps the process from being reaped. It is reaped when the
// Cancel returns, though whoever waited for it does not any more.
func TestReapedWhenCancelReturns(t *testing.T) {
	for name, wait := range map[string]func(c *xexec.Cmd){
		"Shutdown":    func(c *xexec.Cmd) { c.Shutdown(testkit.Ended) },
		"WaitContext": func(c *xexec.Cmd) { c.WaitContext(testkit.Ended) },
		"TryWait":     func(c *xexec.Cmd) { c.TryWait() },
	} {
		for _, how := range []string{"returns", "exits"} {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				testkit.NeedOwnProc(t)
				testkit.Deadline(t, testkit.Stuck)
				ctx, cancel := context.WithCancel(t.Context())
				called, leave := make(chan struct{}), make(chan struct{})
				c := xexec.CommandContext(ctx, "sleep", "1000")
				c.Cancel = func() error {
					close(called)
					<-leave
					if how == "exits" {
						runtime.Goexit()
					}
					return nil
				}
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				cancel()
				<-called
				if err := c.Kill(); err != nil {
					t.Fatal(err)
				}
				testkit.Eventually(t, "it has exited", func() bool { return testkit.Zombie(c.Pid()) })
				wait(c)
				if !testkit.Zombie(c.Pid()) {
					t.Error("it was reaped while Cancel ran")
				}
				close(leave)
				testkit.Eventually(t, "it is reaped", func() bool { return !testkit.Zombie(c.Pid()) })
			})
		}
	}
}

// A Cancel may be a Shutdown also where os/exec calls it, whose Wait waits for it.
func TestShutdownAsCancelOfOsExec(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	ends := map[string]func() (context.Context, context.CancelFunc){
		"an ended context": func() (context.Context, context.CancelFunc) { return testkit.Ended, func() {} },
		"a timeout": func() (context.Context, context.CancelFunc) {
			return context.WithTimeoutCause(context.Background(), 100*time.Millisecond, testkit.ErrCause)
		},
	}
	for how, start := range map[string]func(c *xexec.Cmd) (*xexec.Cmd, error){
		"adopted": func(c *xexec.Cmd) (*xexec.Cmd, error) { return c, c.Std().Start() },
		"a copy": func(c *xexec.Cmd) (*xexec.Cmd, error) {
			copied := *c
			return &copied, copied.Start()
		},
	} {
		for which, end := range ends {
			ctx, cancel := context.WithCancel(t.Context())
			c := xexec.CommandContext(ctx, "sh", "-c", `trap "" TERM; echo ready; while :; do sleep 0.01; done`)
			ready, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			c.Stdout = w
			var started *xexec.Cmd
			var shutdown error
			c.Cancel = func() error {
				patience, done := end()
				defer done()
				shutdown = started.Shutdown(patience)
				return nil
			}
			if started, err = start(c); err != nil {
				t.Fatal(err)
			}
			ready.Read(make([]byte, 1))
			cancel()
			if err := started.Wait(); err == nil {
				t.Errorf("%s, %s: no error", how, which)
			}
			if !errors.Is(shutdown, testkit.ErrCause) {
				t.Errorf("%s, %s: Shutdown: %v", how, which, shutdown)
			}
			ready.Close()
			w.Close()
		}
	}
}

// Signal 0 asks whether a process is alive, and is no attempt to stop it.
func TestProbeInACancelIsNoSignal(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := xtest.HelperContext(ctx, t, "serve", "0")
	refused, called := errors.New("refused"), make(chan struct{})
	c.Cancel = func() error {
		defer close(called)
		if err := c.Signal(syscall.Signal(0)); err != nil {
			t.Error(err)
		}
		return refused
	}
	stdin, err := c.StdinPipe()
	if err := errors.Join(err, c.Start()); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-called
	stdin.Close()
	if err := c.Wait(); !errors.Is(err, refused) || c.Cause() != nil {
		t.Errorf("Wait: %v; Cause: %v", err, c.Cause())
	}
}

// Who has Shutdown's error may read it while the command is not complete yet.
func TestErrorOfShutdownIsNotWrittenLater(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	ready, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	defer w.Close()
	stdin, hold := io.Pipe() // its reader does not return before the end
	c := xexec.Command("sh", "-c", "trap '' TERM; echo oops >&2; echo >&3; while :; do sleep 0.1; done")
	c.Stdin, c.ExtraFiles = stdin, []*os.File{w}
	var output sync.WaitGroup
	output.Go(func() { c.Output() })
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "it was started", func() bool { return c.Pid() != 0 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var exit *xexec.ExitError
	if err := c.Shutdown(ctx); !errors.As(err, &exit) {
		t.Fatal(err)
	}
	before := string(exit.Stderr)
	hold.Close()
	output.Wait()
	if string(exit.Stderr) != before {
		t.Errorf("%q, and later %q", before, exit.Stderr)
	}
}
