package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() {
	testkit.Register("forkloop", helperForkLoop)
}

// Start opens up to nine descriptors. Each may be the one that is too many.
func TestTooManyOpenFilesAtEveryStep(t *testing.T) {
	kinds := map[string]func(c *xexec.Cmd) error{
		"three files": (*xexec.Cmd).Start,
		"a tree": func(c *xexec.Cmd) error { // with one descriptor too few for a cgroup, it does without
			c.SetTree(true)
			return c.Start()
		},
		"three copies": func(c *xexec.Cmd) error {
			c.Stdin, c.Stdout, c.Stderr = strings.NewReader("x"), new(bytes.Buffer), new(bytes.Buffer)
			return c.Start()
		},
		"three pipes": func(c *xexec.Cmd) error {
			in, err := c.StdinPipe()
			if err != nil {
				return err
			}
			out, err := c.StdoutPipe()
			if err != nil {
				in.Close()
				c.Stdin.(*os.File).Close()
				return err
			}
			if _, err = c.StderrPipe(); err != nil {
				in.Close()
				out.Close()
				c.Stdin.(*os.File).Close()
				c.Stdout.(*os.File).Close()
				return err
			}
			return c.Start()
		},
	}
	for name, start := range kinds {
		t.Run(name, func(t *testing.T) {
			xtest.ExpectClean(t)
			var old unix.Rlimit
			if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &old); err != nil {
				t.Fatal(err)
			}
			restore := func() { unix.Prlimit(0, unix.RLIMIT_NOFILE, &old, nil) }
			defer restore()
			if err := xtest.Helper(t, "exit", "0").Run(); err != nil { // opens the null device
				t.Fatal(err)
			}
			before, failed := testkit.Descriptors(), 0
			for limit := 3; ; limit++ {
				c := xtest.Helper(t, "exit", "0")
				unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(limit), Max: old.Max}, nil)
				err := start(c)
				restore()
				if err == nil {
					if err := c.Wait(); err != nil {
						t.Errorf("with %d: Wait: %v", limit, err)
					}
					break
				}
				failed++
				// In the child, dup3 says EBADF of a number that is too high.
				if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.EBADF) || c.Process != nil {
					t.Errorf("with %d: %v, Process %v", limit, err, c.Process)
				}
				// (The collector may have closed some of earlier tests.)
				if n := testkit.Descriptors(); n > before {
					t.Fatalf("with %d: %d descriptors, %d before", limit, n, before)
				}
				if limit > before+40 {
					t.Fatalf("with %d: %v", limit, err)
				}
			}
			if failed < 3 {
				t.Errorf("only %d starts have failed", failed)
			}
			t.Logf("%d starts failed", failed)
		})
	}
}

// A child that is stopped can be waited for and signalled as any other.
func TestStoppedChild(t *testing.T) {
	testkit.NeedOwnProc(t)
	xtest.ExpectClean(t)
	c, finish := xtest.StartServing(t, "7")
	if err := c.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	testkit.AwaitState(t, c.Pid(), "T")
	if done, err := c.TryWait(); done {
		t.Errorf("TryWait: done, %v", err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, testkit.ErrCause)
	defer cancel()
	if err := c.WaitContext(ctx); !errors.Is(err, testkit.ErrCause) {
		t.Errorf("WaitContext: %v", err)
	}
	if err := c.Signal(syscall.SIGCONT); err != nil {
		t.Errorf("Signal: %v", err)
	}
	finish()
	if err := c.Wait(); err == nil || err.Error() != "exit status 7" {
		t.Errorf("Wait: %v", err)
	}

	// One that is deaf dies of SIGKILL.
	c = xexec.Command("sh", "-c", xtest.Deaf)
	xtest.StartReady(t, xtest.X.From(c.Std()))
	c.Signal(syscall.SIGSTOP)
	testkit.AwaitState(t, c.Pid(), "T")
	ctx, cancel = context.WithTimeoutCause(t.Context(), 20*time.Millisecond, testkit.ErrCause)
	defer cancel()
	if err := c.Shutdown(ctx); !errors.Is(err, testkit.ErrCause) {
		t.Errorf("Shutdown: %v", err)
	}
	if err := c.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("Wait: %v", err)
	}
}

// The exit of a traced child is hidden from its parent until the tracer has
// seen it. Nothing hangs but Wait, and that only until then.
func TestTracedChild(t *testing.T) {
	testkit.NeedOwnProc(t)
	xtest.ExpectClean(t)
	c, _ := xtest.StartServing(t, "7")
	_, detach := testkit.Trace(t, c.Pid(), false)
	if done, err := c.TryWait(); done || err != nil {
		t.Errorf("TryWait: %v, %v", done, err)
	}
	if err := c.Kill(); err != nil {
		t.Errorf("Kill: %v", err)
	}
	testkit.AwaitState(t, c.Pid(), "Z")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, testkit.ErrCause)
	defer cancel()
	if err := c.WaitContext(ctx); !errors.Is(err, testkit.ErrCause) && (err == nil || err.Error() != "signal: killed") {
		t.Errorf("WaitContext: %v", err)
	}
	detach()
	if err := c.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("Wait: %v", err)
	}
}

// helperForkLoop starts commands, one after the other, without end.
func helperForkLoop([]string) int {
	fmt.Println("ready")
	for {
		if err := xexec.Command("/proc/self/exe", testkit.HelperArg, "exit", "0").Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
}

// A child that is in vfork for most of its life dies of SIGKILL nevertheless.
func TestChildInAVforkLoop(t *testing.T) {
	xtest.ExpectClean(t)
	for range 10 {
		c := xtest.Helper(t, "forkloop")
		xtest.StartReady(t, xtest.X.From(c.Std()))
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, testkit.ErrCause)
		c.Signal(syscall.SIGCHLD)
		if err := c.Shutdown(ctx); !errors.Is(err, testkit.ErrCause) && err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		cancel()
		if err := c.Wait(); err == nil || !strings.HasPrefix(err.Error(), "signal: ") {
			t.Errorf("Wait: %v", err)
		}
	}
}

// The clock is stepped while something has to end after some time. It is the
// clock of the whole machine, so this runs only if the environment says so.
func TestClockStep(t *testing.T) {
	if os.Getenv("XEXEC_TEST_CLOCK") == "" {
		t.Skip("it sets the machine's clock: only with XEXEC_TEST_CLOCK=1")
	}
	const delay = 300 * time.Millisecond
	sleep := func(t *testing.T, ctx context.Context, set func(c *xexec.Cmd)) *xexec.Cmd {
		c := xexec.Command("/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
		c.SetTree(true)
		set(c)
		out := testkit.NewReadyWriter()
		c.Stdout = out
		if err := c.StartContext(ctx); err != nil {
			t.Fatal(err)
		}
		<-out.Ready
		return c
	}
	// Each begins what ends after the delay, and returns the waiting for that.
	begins := map[string]func(t *testing.T) (end func() error){
		"WaitDelay after the exit": func(t *testing.T) func() error {
			c := xtest.Helper(t, "hold", testkit.HolderAddr(t), "say", "o:some")
			c.Stdout, c.WaitDelay = new(bytes.Buffer), delay
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			return c.Wait
		},
		"WaitDelay after the context's end": func(t *testing.T) func() error {
			ctx, cancel := context.WithCancelCause(t.Context())
			c := sleep(t, ctx, func(c *xexec.Cmd) { c.Cancel, c.WaitDelay = c.Terminate, delay })
			cancel(testkit.ErrCause)
			return c.Wait
		},
		"a context": func(t *testing.T) func() error {
			ctx, cancel := context.WithTimeoutCause(t.Context(), delay, testkit.ErrCause)
			t.Cleanup(cancel)
			return sleep(t, ctx, func(*xexec.Cmd) {}).Wait
		},
		"Shutdown": func(t *testing.T) func() error {
			c := sleep(t, t.Context(), func(*xexec.Cmd) {})
			ctx, cancel := context.WithTimeoutCause(t.Context(), delay, testkit.ErrCause)
			t.Cleanup(cancel)
			return func() error { return c.Shutdown(ctx) }
		},
	}
	for what, begin := range begins {
		for _, step := range []time.Duration{time.Hour, -time.Hour} {
			t.Run(fmt.Sprint(what, " ", step), func(t *testing.T) {
				xtest.ExpectClean(t)
				began := time.Now()
				end, result := begin(t), make(chan error)
				go func() { result <- end() }()
				time.Sleep(delay / 3) // it waits, or else the step comes before that
				stepClock(t, step)
				err := <-result
				stepClock(t, -step)
				if took := time.Since(began); took < delay || err != xexec.ErrWaitDelay && !errors.Is(err, testkit.ErrCause) {
					t.Errorf("%v after %v", err, took)
				}
			})
		}
	}
}

func stepClock(t *testing.T, by time.Duration) {
	ts := unix.NsecToTimespec(time.Now().Add(by).UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		testkit.Lack(t, "the clock cannot be set: ", err)
	}
}

// Once Fd has made the descriptor blocking, nothing ends a read. Wait leaves the
// rest to a reader that is in one, and does not close the pipe under it.
func TestNoOutputIsLostInBlockingMode(t *testing.T) {
	xtest.ExpectClean(t)
	for _, size := range []int{1, 16, 4096} {
		for range 4 {
			c := xtest.Helper(t, "say", "o:"+testkit.Bulk[:60_000])
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			out.(interface{ Fd() uintptr }).Fd()
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			got := make(chan string, 1)
			go func() {
				var b bytes.Buffer
				_, err := io.CopyBuffer(struct{ io.Writer }{&b}, struct{ io.Reader }{out}, make([]byte, size))
				if err != nil {
					t.Error(err)
				}
				got <- b.String()
			}()
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
			if s := <-got; s != testkit.Bulk[:60_000] {
				t.Errorf("%d bytes of 60000, read %d at a time", len(s), size)
			}
		}
	}
}
