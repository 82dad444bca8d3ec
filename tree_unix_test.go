//go:build linux || darwin || freebsd

package xexec_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() {
	testkit.Register("bulky", helperBulky)
	testkit.Register("moves", helperMoves)
}

func BenchmarkRunTree(b *testing.B) {
	for _, kind := range append([]xexec.TreeKind{xexec.NoTree}, xtest.TreeKinds()...) {
		b.Run(kind.String(), func(b *testing.B) {
			for b.Loop() {
				c := xexec.Command("true")
				c.SetTree(kind != xexec.NoTree)
				if kind == xexec.ProcessGroup {
					c.SysProcAttr = xtest.WithoutCgroup(b)
				}
				if err := c.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Those who outlive the leader have their WaitDelay also while Cancel runs.
func TestTreeHasWaitDelayDuringCancel(t *testing.T) {
	xtest.EachTreeKind(t, func(t *xtest.Tree) {
		allowed := filepath.Join(t.TempDir(), "allowed")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := t.ShContext(ctx, xtest.Politely(`trap "" TERM; echo ready; until [ -e `+allowed+` ]; do sleep 0.01; done; echo clean`))
		c.WaitDelay = testkit.Stuck
		c.Cancel = func() error {
			err := c.Process.Signal(syscall.SIGTERM)
			testkit.Eventually(t, "the leader exits", func() bool { return testkit.Zombie(c.Pid()) })
			if done, err := c.TryWait(); done {
				t.Errorf("TryWait: %v", err)
			}
			return errors.Join(err, os.WriteFile(allowed, nil, 0o666))
		}
		w := t.Start(c)
		cancel()
		if err := c.Wait(); err != context.Canceled {
			t.Errorf("Wait: %v", err)
		}
		t.Gone()
		if w.String() != "ready\nclean\n" {
			t.Errorf("output %q", w)
		}
	})
}

func TestTreeKeepsTimeouts(t *testing.T) {
	shapes := []string{"sleep 1000; true", "sleep 1000 & wait", "(sleep 1000)", "sleep 1000 | cat"}
	xtest.EachTreeKind(t, func(t *xtest.Tree) {
		for _, shape := range shapes {
			// The time is over when the output is written.
			ctx, cancel := context.WithCancelCause(context.Background())
			c := t.ShContext(ctx, "echo so far; echo ready >&2; "+shape)
			w := testkit.NewReadyWriter()
			c.Stderr = w
			t.Soon(func() {
				var waiter sync.WaitGroup
				waiter.Go(func() { <-w.Ready; cancel(testkit.ErrCause) })
				out, err := c.Output()
				var exit *exec.ExitError
				if string(out) != "so far\n" || !errors.As(err, &exit) || c.Cause() != testkit.ErrCause {
					t.Errorf("%s: %q, %v, %v", shape, out, err, c.Cause())
				}
				waiter.Wait()
			})
			t.Gone()
		}
	})
}

// What the trees are for: os/exec does not keep them.
func TestTimeoutsOfOSExec(t *testing.T) {
	t.Parallel()
	testkit.Deadline(t, testkit.Stuck)
	ctx, cancel := context.WithCancel(context.Background())
	began := time.Now()
	c := exec.CommandContext(ctx, "sh", "-c", "sleep 1 & echo ready >&2; wait")
	w := testkit.NewReadyWriter()
	c.Stderr = w
	var waiter sync.WaitGroup
	waiter.Go(func() { <-w.Ready; cancel() })
	c.Output()
	waiter.Wait()
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("os/exec has ended it after %v", took)
	}
}

func TestTreeEndsWithItsLeader(t *testing.T) {
	xtest.EachTreeKind(t, func(t *xtest.Tree) {
		t.Soon(func() {
			out, err := t.Sh("sleep 1000 & echo out").Output()
			if string(out) != "out\n" || err != nil {
				t.Errorf("%q, %v", out, err)
			}
		})
		t.Gone()

		c := t.Sh("sleep 1000 & sleep 1000 & exit 3")
		if err := c.Run(); c.ProcessState.ExitCode() != 3 {
			t.Error(err)
		}
		t.Gone()
		if err := c.Kill(); err != os.ErrProcessDone {
			t.Errorf("Kill: %v", err)
		}
	})
}

// helperBulky listens, and has memory enough for its death to take a while.
//
//go:norace
func helperBulky([]string) int {
	bulk, err := syscall.Mmap(-1, 0, 256<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for i := 0; i < len(bulk); i += 4096 {
		bulk[i] = 1
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(l.Addr())
	os.Stdout.Close() // for Wait not to wait for that
	select {}
}

// When Wait returns, the others are not only being killed, but gone: their ports
// are free.
func TestWaitReturnsWhenTheTreeIsGone(t *testing.T) {
	xtest.EachTreeKind(t, func(t *xtest.Tree) {
		exe, argv := testkit.NeedHelper(t, "bulky")
		c := t.Sh(`"$@" & wait`, append([]string{exe}, argv...)...)
		out := t.Start(c)
		c.Process.Kill()
		c.Wait()
		l, err := net.Listen("tcp", strings.TrimSpace(out.String()))
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	})
}

func TestShutdownOfTree(t *testing.T) {
	after := func(d time.Duration) context.Context {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		t.Cleanup(cancel)
		return ctx
	}
	for _, test := range []struct {
		name, script, output string
		grace                time.Duration
		want                 error
	}{
		{"polite", xtest.Politely(xtest.Polite), "ready\nclean\n", testkit.Stuck, nil},
		{"deaf", xtest.Politely(xtest.Deaf), "ready\n", 300 * time.Millisecond, context.DeadlineExceeded},
		{"deaf leader", xtest.Deaf, "ready\n", 300 * time.Millisecond, context.DeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			xtest.EachTreeKind(t, func(t *xtest.Tree) {
				c := t.Sh(test.script)
				w := t.Start(c)
				t.Soon(func() {
					if err := c.Shutdown(after(test.grace)); !errors.Is(err, test.want) {
						t.Errorf("Shutdown: %v, want %v", err, test.want)
					}
				})
				t.Gone()
				if err := c.Shutdown(after(0)); !errors.Is(err, test.want) {
					t.Errorf("a second Shutdown: %v, want %v", err, test.want)
				}
				c.Wait()
				if out := w.String(); out != test.output {
					t.Errorf("output %q, want %q", out, test.output)
				}
				if c.Cause() != test.want {
					t.Errorf("Cause: %v", c.Cause())
				}
			})
		})
	}
}

func TestCancelOfTree(t *testing.T) {
	for _, test := range []struct {
		name, script, output string
		delay                time.Duration
	}{
		{"polite", xtest.Politely(xtest.Polite), "ready\nclean\n", testkit.Stuck},
		{"deaf", xtest.Politely(xtest.Deaf), "ready\n", 600 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			xtest.EachTreeKind(t, func(t *xtest.Tree) {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				c := t.ShContext(ctx, test.script)
				c.Cancel = c.Terminate
				c.WaitDelay = test.delay
				w := t.Start(c)
				cancel()
				t.Soon(func() {
					if err := c.Wait(); err != context.Canceled || c.Cause() != context.Canceled {
						t.Errorf("Wait: %v, cause %v", err, c.Cause())
					}
				})
				t.Gone()
				if out := w.String(); out != test.output {
					t.Errorf("output %q, want %q", out, test.output)
				}
			})
		})
	}
}

// Nobody waits when the leader exits by itself: then the rest can be asked still.
func TestTerminateWhenOnlyTheRestIsLeft(t *testing.T) {
	xtest.EachTreeKind(t, func(t *xtest.Tree) {
		c := t.Sh(xtest.InShell(xtest.Polite) + " & exit 3")
		w := t.Start(c)
		testkit.Eventually(t, "the leader exits", func() bool { return testkit.Zombie(c.Pid()) })
		if err := c.Terminate(); err != nil {
			t.Errorf("Terminate: %v", err)
		}
		if err := c.Wait(); err == nil || err.Error() != "exit status 3" || w.String() != "ready\nclean\n" {
			t.Errorf("Wait: %v, output %q", err, w)
		}
		t.Gone()
	})
}

// Without a deadline, those who outlive the leader have all the time they want.
// WaitDelay ends the time that the rest has after a Terminate.
func TestWaitDelayOfTheRestAfterTerminate(t *testing.T) {
	xtest.EachTreeKind(t, func(t *xtest.Tree) {
		c := t.Sh(xtest.Politely(xtest.Deaf))
		c.WaitDelay = 50 * time.Millisecond
		t.Start(c)
		if err := c.Terminate(); err != nil {
			t.Fatal(err)
		}
		t.Soon(func() { c.Wait() })
		t.Gone()
	})
}

// A leader that exits by itself while a Cancel runs was not ended by that, which kills
// only what it has left.
func TestLeaderLeavesDuringCancel(t *testing.T) {
	xtest.EachTreeKind(t, func(t *xtest.Tree) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := t.ShContext(ctx, "sleep 1000 & echo ready; read line; exit 0")
		stdin, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		called, kill := make(chan error, 1), c.Cancel
		c.Cancel = func() error {
			stdin.Close()
			testkit.Eventually(t, "the leader has left", func() bool { return testkit.Zombie(c.Pid()) })
			err := kill()
			called <- err
			return err
		}
		t.Start(c)
		cancel()
		if err := <-called; err != os.ErrProcessDone {
			t.Errorf("Cancel: %v", err)
		}
		if err := c.Wait(); err != nil || c.Cause() != nil {
			t.Errorf("Wait: %v; Cause: %v", err, c.Cause())
		}
		t.Gone()
	})
}

// helperMoves leaves its process group, in which it leaves another process behind.
func helperMoves([]string) int {
	rest := exec.Command("sleep", "1000")
	group, err := syscall.Getpgid(os.Getppid())
	if err := errors.Join(err, rest.Start(), syscall.Setpgid(0, group)); err != nil {
		return testkit.Complain(err)
	}
	fmt.Println("ready")
	select {}
}

// A signal reaches a leader that has left its group, and those who have stayed.
func TestLeaderInAnotherGroup(t *testing.T) {
	xtest.EachTreeKind(t, func(t *xtest.Tree) {
		exe, argv := testkit.NeedHelper(t, "moves")
		c := t.Sh(`exec "$@"`, append([]string{exe}, argv...)...)
		t.Start(c)
		if err := c.Terminate(); err != nil {
			t.Fatal(err)
		}
		t.Soon(func() {
			if err := c.Wait(); err == nil || err.Error() != "signal: terminated" {
				t.Errorf("Wait: %v", err)
			}
		})
		t.Gone()
	})
}

func TestTerminateOfTreeWithoutDeadline(t *testing.T) {
	xtest.EachTreeKind(t, func(t *xtest.Tree) {
		c := t.Sh(xtest.Politely(xtest.Polite))
		w := t.Start(c)
		if err := c.Terminate(); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil || w.String() != "ready\nclean\n" {
			t.Errorf("Wait: %v, output %q", err, w)
		}
		t.Gone()

		c = t.Sh(xtest.Politely(xtest.Deaf))
		t.Start(c)
		if err := c.Terminate(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "the leader has left", func() bool { return testkit.Zombie(c.Pid()) })
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		if err := c.WaitContext(ctx); err != context.DeadlineExceeded {
			t.Errorf("WaitContext: %v", err)
		}
		t.Soon(func() { // it does not block in between either
			if done, err := c.TryWait(); done || err != nil {
				t.Errorf("TryWait: %v, %v", done, err)
			}
		})
		if c.ProcessState != nil || !testkit.Zombie(c.Pid()) {
			t.Error("the leader was reaped before the others were gone")
		}
		if err := c.Signal(syscall.SIGCONT); err != nil {
			t.Errorf("Signal with a dead leader: %v", err)
		}
		if err := c.Kill(); err != nil {
			t.Errorf("Kill with a dead leader: %v", err)
		}
		t.Soon(func() {
			if err := c.Wait(); err != nil {
				t.Errorf("Wait: %v", err)
			}
		})
		if err := c.Terminate(); err != os.ErrProcessDone {
			t.Errorf("Terminate: %v", err)
		}
	})
}

// Nobody waits, and the leader exits by itself: nothing is done behind the
// caller's back, and the rest can still be killed.
func TestSignalWhenOnlyTheRestIsLeft(t *testing.T) {
	xtest.EachTreeKind(t, func(t *xtest.Tree) {
		c := t.Sh("sleep 1000 & echo ready")
		t.Start(c)
		testkit.Eventually(t, "the leader exits", func() bool { return testkit.Zombie(c.Pid()) })
		testkit.Eventually(t, "the rest is alive", func() bool { return len(testkit.Marked(t.Mark)) == 1 }) // it may be in its exec
		if err := c.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("Signal: %v", err)
		}
		if err := c.Kill(); err != nil {
			t.Errorf("Kill: %v", err)
		}
		testkit.Eventually(t, "os.ErrProcessDone", func() bool { return c.Kill() == os.ErrProcessDone })
		t.Gone()
		if err := c.Wait(); err != nil || c.Cause() != nil {
			t.Errorf("Wait: %v, cause %v", err, c.Cause())
		}
	})
}

// A leader that exited by itself is not blamed on a context that ends later, but
// what it has left is killed.
func TestContextEndsWhenOnlyTheRestIsLeft(t *testing.T) {
	xtest.EachTreeKind(t, func(t *xtest.Tree) {
		ctx, cancel := context.WithCancel(context.Background())
		c := t.ShContext(ctx, "sleep 1000 & echo ready")
		t.Start(c)
		testkit.Eventually(t, "the leader exits", func() bool { return testkit.Zombie(c.Pid()) })
		cancel()
		testkit.Eventually(t, "the rest is gone", func() bool { return testkit.Marked(t.Mark) == nil })
		if err := c.Wait(); err != nil || c.Cause() != nil {
			t.Errorf("Wait: %v, cause %v", err, c.Cause())
		}
	})
}

func TestStoppedTreeCanBeTerminated(t *testing.T) {
	xtest.EachTreeKind(t, func(t *xtest.Tree) {
		c := t.Sh(`sleep 1000 & trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done`)
		t.Start(c)
		t.Stop(c)
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Stuck)
		defer cancel()
		t.Soon(func() {
			if err := c.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		})
		t.Gone()
	})
}

// A Cancel that asks the leader alone gives the others no time without WaitDelay.
func TestCancelThatAsksTheLeaderOnly(t *testing.T) {
	xtest.EachTreeKind(t, func(t *xtest.Tree) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		c := t.ShContext(ctx, xtest.Politely(xtest.Deaf))
		c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
		t.Start(c)
		cancel()
		t.Soon(func() {
			if err := c.Wait(); err != context.Canceled {
				t.Errorf("Wait: %v", err)
			}
		})
		t.Gone()
	})
}

func TestTreeAndSysProcAttr(t *testing.T) {
	t.Parallel()
	testkit.Deadline(t, testkit.Stuck)
	for _, attr := range []*syscall.SysProcAttr{
		{Setpgid: true, Pgid: os.Getpid()},
		{Foreground: true, Pgid: 1},
		{Ptrace: true},
	} {
		before := *attr
		c := xexec.Command("sh", "-c", "true")
		c.SetTree(true)
		c.SysProcAttr = attr
		if err := c.Start(); err == nil || !strings.Contains(err.Error(), "SetTree contradicts SysProcAttr.P") {
			t.Errorf("%+v: Start: %v", attr, err)
		}
		if c.SysProcAttr != attr || fmt.Sprint(before) != fmt.Sprint(*attr) {
			t.Errorf("SysProcAttr was modified: %+v", attr)
		}
	}
	for _, attr := range []*syscall.SysProcAttr{nil, {}, {Setpgid: true}, {Setsid: true}} {
		tt := xtest.NewTree(t, xexec.NoTree)
		c := tt.Sh("sleep 1000 & echo out")
		c.SysProcAttr = attr
		before := fmt.Sprint(attr)
		if out, err := c.Output(); string(out) != "out\n" || err != nil {
			t.Errorf("%s: %q, %v", before, out, err)
		}
		if c.SysProcAttr != attr || fmt.Sprint(attr) != before {
			t.Errorf("SysProcAttr was modified: %+v", attr)
		}
		tt.Gone()
	}
}

// What os/exec has started is a tree if it leads a group.
func TestAdoptedTree(t *testing.T) {
	t.Parallel()
	testkit.Deadline(t, testkit.Stuck)
	for _, test := range []struct {
		attr *syscall.SysProcAttr
		want xexec.TreeKind
	}{
		{nil, xexec.NoTree},
		{&syscall.SysProcAttr{Setpgid: true}, xexec.ProcessGroup},
		{&syscall.SysProcAttr{Setsid: true}, xexec.ProcessGroup},
	} {
		tt := xtest.NewTree(t, test.want)
		script := "sleep 1000 & echo out; exit 3"
		if test.want == xexec.NoTree {
			script = "echo out; exit 3"
		}
		c := tt.Sh(script)
		c.SysProcAttr = test.attr
		var out strings.Builder
		c.Stdout = &out // os/exec's Wait waits for the one who holds it
		if err := c.Std().Start(); err != nil {
			t.Fatal(err)
		}
		if got := c.TreeKind(); got != test.want {
			t.Errorf("TreeKind is %v, want %v", got, test.want)
		}
		tt.Soon(func() {
			if err := c.Wait(); out.String() != "out\n" || c.ProcessState.ExitCode() != 3 {
				t.Errorf("%q, %v", out.String(), err)
			}
		})
		tt.Gone()
	}
}
