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
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/xexec"
)

// A treeTest starts shell scripts as trees, each with a mark in its environment
// by which what is left of it can be found.
type treeTest struct {
	testing.TB
	kind xexec.TreeKind
	mark string
}

var treeTests atomic.Int64

func init() {
	registerHelper("bulky", helperBulky)
}

// eachTreeKind runs a test for every kind of tree that can be had here.
func eachTreeKind(t *testing.T, test func(t *treeTest)) {
	t.Parallel()
	for _, kind := range treeKinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			deadline(t, stuck)
			test(newTreeTest(t, kind))
		})
	}
}

func newTreeTest(t testing.TB, kind xexec.TreeKind) *treeTest {
	mark := fmt.Sprintf("XEXEC_TREE=%d.%d.", os.Getpid(), treeTests.Add(1))
	tt := &treeTest{t, kind, mark}
	t.Cleanup(func() {
		for left := marked(mark); left != nil; left = marked(mark) { // they may fork
			for _, pid := range left {
				t.Errorf("process %d is left behind", pid)
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	return tt
}

// sh returns a command that is to be a tree and runs the script.
func (t *treeTest) sh(script string, args ...string) *xexec.Cmd {
	return t.prepare(xexec.Command("sh", append([]string{"-c", script, "sh"}, args...)...))
}

func (t *treeTest) shContext(ctx context.Context, script string) *xexec.Cmd {
	return t.prepare(xexec.CommandContext(ctx, "sh", "-c", script))
}

func (t *treeTest) prepare(c *xexec.Cmd) *xexec.Cmd {
	c.Env = append(os.Environ(), t.mark)
	c.SetTree(true)
	if t.kind == xexec.ProcessGroup {
		c.SysProcAttr = withoutCgroup(t)
	}
	return c
}

// start starts c and waits for the first line of its output.
func (t *treeTest) start(c *xexec.Cmd) *readyWriter {
	t.Helper()
	w := newReadyWriter()
	c.Stdout = w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if got := c.TreeKind(); got != t.kind {
		c.Kill()
		c.Wait()
		t.Fatalf("TreeKind is %v, want %v", got, t.kind)
	}
	select {
	case <-w.ready:
	case <-time.After(stuck / 2):
		c.Kill()
		t.Fatal("the command does not become ready")
	}
	return w
}

// gone fails if something of the tree is alive.
func (t *treeTest) gone() {
	t.Helper()
	if pids := marked(t.mark); pids != nil {
		t.Errorf("alive: %v", pids)
	}
}

// soon fails if f takes so long that it must have waited for what it must not:
// those that sleep, or a deadline of stuck.
func (t *treeTest) soon(f func()) {
	t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took > stuck/2 {
		t.Errorf("it took %v", took)
	}
}

// ready starts the output of a script, polite leaves on SIGTERM after a
// clean-up, and deaf ignores it.
const (
	polite = `trap 'trap "" TERM; sleep 0.2; echo clean; exit 0' TERM; echo ready; while :; do sleep 0.01; done`
	deaf   = `trap "" TERM; echo ready; while :; do sleep 0.01; done`
)

// politely is a script whose leader exits with status 0 on SIGTERM at once, and
// that has another process besides.
func politely(member string) string {
	return `trap "exit 0" TERM; ` + inShell(member) + ` & while :; do sleep 0.01; done`
}

// inShell is the script as a command of another.
func inShell(script string) string {
	return "sh -c '" + strings.ReplaceAll(script, "'", `'\''`) + "'"
}

// Those who outlive the leader have their WaitDelay also while Cancel runs.
func TestTreeHasWaitDelayDuringCancel(t *testing.T) {
	eachTreeKind(t, func(t *treeTest) {
		allowed := filepath.Join(t.TempDir(), "allowed")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := t.shContext(ctx, politely(`trap "" TERM; echo ready; until [ -e `+allowed+` ]; do sleep 0.01; done; echo clean`))
		c.WaitDelay = stuck
		c.Cancel = func() error {
			err := c.Process.Signal(syscall.SIGTERM)
			eventually(t, "the leader exits", func() bool { return zombie(c.Pid()) })
			if done, err := c.TryWait(); done {
				t.Errorf("TryWait: %v", err)
			}
			return errors.Join(err, os.WriteFile(allowed, nil, 0o666))
		}
		w := t.start(c)
		cancel()
		if err := c.Wait(); err != context.Canceled {
			t.Errorf("Wait: %v", err)
		}
		t.gone()
		if w.String() != "ready\nclean\n" {
			t.Errorf("output %q", w)
		}
	})
}

func TestTreeKeepsTimeouts(t *testing.T) {
	shapes := []string{"sleep 1000; true", "sleep 1000 & wait", "(sleep 1000)", "sleep 1000 | cat"}
	eachTreeKind(t, func(t *treeTest) {
		for _, shape := range shapes {
			// The time is over when the output is written.
			ctx, cancel := context.WithCancelCause(context.Background())
			c := t.shContext(ctx, "echo so far; echo ready >&2; "+shape)
			w := newReadyWriter()
			c.Stderr = w
			t.soon(func() {
				var waiter sync.WaitGroup
				waiter.Go(func() { <-w.ready; cancel(errCause) })
				out, err := c.Output()
				var exit *exec.ExitError
				if string(out) != "so far\n" || !errors.As(err, &exit) || c.Cause() != errCause {
					t.Errorf("%s: %q, %v, %v", shape, out, err, c.Cause())
				}
				waiter.Wait()
			})
			t.gone()
		}
	})
}

// What the trees are for: os/exec does not keep them.
func TestTimeoutsOfOSExec(t *testing.T) {
	t.Parallel()
	deadline(t, stuck)
	ctx, cancel := context.WithCancel(context.Background())
	began := time.Now()
	c := exec.CommandContext(ctx, "sh", "-c", "sleep 1 & echo ready >&2; wait")
	w := newReadyWriter()
	c.Stderr = w
	var waiter sync.WaitGroup
	waiter.Go(func() { <-w.ready; cancel() })
	c.Output()
	waiter.Wait()
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("os/exec has ended it after %v", took)
	}
}

func TestTreeEndsWithItsLeader(t *testing.T) {
	eachTreeKind(t, func(t *treeTest) {
		t.soon(func() {
			out, err := t.sh("sleep 1000 & echo out").Output()
			if string(out) != "out\n" || err != nil {
				t.Errorf("%q, %v", out, err)
			}
		})
		t.gone()

		c := t.sh("sleep 1000 & sleep 1000 & exit 3")
		if err := c.Run(); c.ProcessState.ExitCode() != 3 {
			t.Error(err)
		}
		t.gone()
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
	eachTreeKind(t, func(t *treeTest) {
		exe, argv := needHelper(t, "bulky")
		c := t.sh(`"$@" & wait`, append([]string{exe}, argv...)...)
		out := t.start(c)
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
		{"polite", politely(polite), "ready\nclean\n", stuck, nil},
		{"deaf", politely(deaf), "ready\n", 300 * time.Millisecond, context.DeadlineExceeded},
		{"deaf leader", deaf, "ready\n", 300 * time.Millisecond, context.DeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachTreeKind(t, func(t *treeTest) {
				c := t.sh(test.script)
				w := t.start(c)
				t.soon(func() {
					if err := c.Shutdown(after(test.grace)); err != test.want {
						t.Errorf("Shutdown: %v, want %v", err, test.want)
					}
				})
				t.gone()
				if err := c.Shutdown(after(0)); err != test.want {
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
		{"polite", politely(polite), "ready\nclean\n", stuck},
		{"deaf", politely(deaf), "ready\n", 600 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachTreeKind(t, func(t *treeTest) {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				c := t.shContext(ctx, test.script)
				c.Cancel = c.Terminate
				c.WaitDelay = test.delay
				w := t.start(c)
				cancel()
				t.soon(func() {
					if err := c.Wait(); err != context.Canceled || c.Cause() != context.Canceled {
						t.Errorf("Wait: %v, cause %v", err, c.Cause())
					}
				})
				t.gone()
				if out := w.String(); out != test.output {
					t.Errorf("output %q, want %q", out, test.output)
				}
			})
		})
	}
}

// Nobody waits when the leader exits by itself: then the rest can be asked still.
func TestTerminateWhenOnlyTheRestIsLeft(t *testing.T) {
	eachTreeKind(t, func(t *treeTest) {
		c := t.sh(inShell(polite) + " & exit 3")
		w := t.start(c)
		eventually(t, "the leader exits", func() bool { return zombie(c.Pid()) })
		if err := c.Terminate(); err != nil {
			t.Errorf("Terminate: %v", err)
		}
		if err := c.Wait(); err == nil || err.Error() != "exit status 3" || w.String() != "ready\nclean\n" {
			t.Errorf("Wait: %v, output %q", err, w)
		}
		t.gone()
	})
}

// Without a deadline, those who outlive the leader have all the time they want.
func TestTerminateOfTreeWithoutDeadline(t *testing.T) {
	eachTreeKind(t, func(t *treeTest) {
		c := t.sh(politely(polite))
		w := t.start(c)
		if err := c.Terminate(); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil || w.String() != "ready\nclean\n" {
			t.Errorf("Wait: %v, output %q", err, w)
		}
		t.gone()

		c = t.sh(politely(deaf))
		t.start(c)
		if err := c.Terminate(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		if err := c.WaitContext(ctx); err != context.DeadlineExceeded {
			t.Errorf("WaitContext: %v", err)
		}
		t.soon(func() { // it does not block in between either
			if done, err := c.TryWait(); done || err != nil {
				t.Errorf("TryWait: %v, %v", done, err)
			}
		})
		if c.ProcessState != nil || !zombie(c.Pid()) {
			t.Error("the leader was reaped before the others were gone")
		}
		if err := c.Signal(syscall.SIGCONT); err != nil {
			t.Errorf("Signal with a dead leader: %v", err)
		}
		if err := c.Kill(); err != nil {
			t.Errorf("Kill with a dead leader: %v", err)
		}
		t.soon(func() {
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
	eachTreeKind(t, func(t *treeTest) {
		c := t.sh("sleep 1000 & echo ready")
		t.start(c)
		eventually(t, "the leader exits", func() bool { return zombie(c.Pid()) })
		eventually(t, "the rest is alive", func() bool { return len(marked(t.mark)) == 1 }) // it may be in its exec
		if err := c.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("Signal: %v", err)
		}
		if err := c.Kill(); err != nil {
			t.Errorf("Kill: %v", err)
		}
		eventually(t, "os.ErrProcessDone", func() bool { return c.Kill() == os.ErrProcessDone })
		t.gone()
		if err := c.Wait(); err != nil || c.Cause() != nil {
			t.Errorf("Wait: %v, cause %v", err, c.Cause())
		}
	})
}

// A leader that exited by itself is not blamed on a context that ends later, but
// what it has left is killed.
func TestContextEndsWhenOnlyTheRestIsLeft(t *testing.T) {
	eachTreeKind(t, func(t *treeTest) {
		ctx, cancel := context.WithCancel(context.Background())
		c := t.shContext(ctx, "sleep 1000 & echo ready")
		t.start(c)
		eventually(t, "the leader exits", func() bool { return zombie(c.Pid()) })
		cancel()
		eventually(t, "the rest is gone", func() bool { return marked(t.mark) == nil })
		if err := c.Wait(); err != nil || c.Cause() != nil {
			t.Errorf("Wait: %v, cause %v", err, c.Cause())
		}
	})
}

func TestStoppedTreeCanBeTerminated(t *testing.T) {
	eachTreeKind(t, func(t *treeTest) {
		c := t.sh(`sleep 1000 & trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done`)
		t.start(c)
		if err := c.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), stuck)
		defer cancel()
		t.soon(func() {
			if err := c.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		})
		t.gone()
	})
}

// A Cancel that asks the leader alone gives the others no time without WaitDelay.
func TestCancelThatAsksTheLeaderOnly(t *testing.T) {
	eachTreeKind(t, func(t *treeTest) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		c := t.shContext(ctx, politely(deaf))
		c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
		t.start(c)
		cancel()
		t.soon(func() {
			if err := c.Wait(); err != context.Canceled {
				t.Errorf("Wait: %v", err)
			}
		})
		t.gone()
	})
}

func TestTreeAndSysProcAttr(t *testing.T) {
	t.Parallel()
	deadline(t, stuck)
	for _, attr := range []*syscall.SysProcAttr{
		{Setpgid: true, Pgid: os.Getpid()},
		{Foreground: true, Pgid: 1},
	} {
		before := *attr
		c := xexec.Command("sh", "-c", "true")
		c.SetTree(true)
		c.SysProcAttr = attr
		if err := c.Start(); err == nil || !strings.Contains(err.Error(), "SetTree contradicts SysProcAttr.Pgid") {
			t.Errorf("%+v: Start: %v", attr, err)
		}
		if c.SysProcAttr != attr || fmt.Sprint(before) != fmt.Sprint(*attr) {
			t.Errorf("SysProcAttr was modified: %+v", attr)
		}
	}
	for _, attr := range []*syscall.SysProcAttr{nil, {}, {Setpgid: true}, {Setsid: true}} {
		tt := newTreeTest(t, xexec.NoTree)
		c := tt.sh("sleep 1000 & echo out")
		c.SysProcAttr = attr
		before := fmt.Sprint(attr)
		if out, err := c.Output(); string(out) != "out\n" || err != nil {
			t.Errorf("%s: %q, %v", before, out, err)
		}
		if c.SysProcAttr != attr || fmt.Sprint(attr) != before {
			t.Errorf("SysProcAttr was modified: %+v", attr)
		}
		tt.gone()
	}
}

// What os/exec has started is a tree if it leads a group.
func TestAdoptedTree(t *testing.T) {
	t.Parallel()
	deadline(t, stuck)
	for _, test := range []struct {
		attr *syscall.SysProcAttr
		want xexec.TreeKind
	}{
		{nil, xexec.NoTree},
		{&syscall.SysProcAttr{Setpgid: true}, xexec.ProcessGroup},
		{&syscall.SysProcAttr{Setsid: true}, xexec.ProcessGroup},
	} {
		tt := newTreeTest(t, test.want)
		script := "sleep 1000 & echo out; exit 3"
		if test.want == xexec.NoTree {
			script = "echo out; exit 3"
		}
		c := tt.sh(script)
		c.SysProcAttr = test.attr
		var out strings.Builder
		c.Stdout = &out // os/exec's Wait waits for the one who holds it
		if err := c.Std().Start(); err != nil {
			t.Fatal(err)
		}
		if got := c.TreeKind(); got != test.want {
			t.Errorf("TreeKind is %v, want %v", got, test.want)
		}
		tt.soon(func() {
			if err := c.Wait(); out.String() != "out\n" || c.ProcessState.ExitCode() != 3 {
				t.Errorf("%q, %v", out.String(), err)
			}
		})
		tt.gone()
	}
}
