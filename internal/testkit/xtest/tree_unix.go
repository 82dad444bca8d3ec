//go:build linux || darwin || freebsd

package xtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
)

// A Tree starts shell scripts as trees, each with a mark in its environment
// by which what is left of it can be found.
type Tree struct {
	testing.TB
	Kind xexec.TreeKind
	Mark string
}

var treeTests atomic.Int64

// EachTreeKind runs a test for every kind of tree that can be had here.
func EachTreeKind(t *testing.T, test func(t *Tree)) {
	t.Parallel()
	for _, kind := range TreeKinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			testkit.Deadline(t, testkit.Stuck)
			test(NewTree(t, kind))
		})
	}
}

// NewTree returns what starts trees of a kind; NoTree is any.
func NewTree(t testing.TB, kind xexec.TreeKind) *Tree {
	testkit.NeedOwnProc(t)
	mark := fmt.Sprintf("XEXEC_TREE=%d.%d.", os.Getpid(), treeTests.Add(1))
	tt := &Tree{t, kind, mark}
	t.Cleanup(func() {
		for left := testkit.Marked(mark); left != nil; left = testkit.Marked(mark) { // they may fork
			for _, pid := range left {
				t.Errorf("process %d is left behind", pid)
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	return tt
}

// Sh returns a command that is to be a tree and runs the script.
func (t *Tree) Sh(script string, args ...string) *xexec.Cmd {
	return t.prepare(xexec.Command("sh", append([]string{"-c", script, "sh"}, args...)...))
}

// ShContext is Sh with a context.
func (t *Tree) ShContext(ctx context.Context, script string) *xexec.Cmd {
	return t.prepare(xexec.CommandContext(ctx, "sh", "-c", script))
}

func (t *Tree) prepare(c *xexec.Cmd) *xexec.Cmd {
	c.Env = append(os.Environ(), t.Mark)
	c.SetTree(true)
	if t.Kind == xexec.ProcessGroup {
		c.SysProcAttr = WithoutCgroup(t)
	}
	return c
}

// Start starts c and waits for the first line of its output.
func (t *Tree) Start(c *xexec.Cmd) *testkit.ReadyWriter {
	t.Helper()
	w := testkit.NewReadyWriter()
	c.Stdout = w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if got := c.TreeKind(); got != t.Kind {
		c.Kill()
		c.Wait()
		t.Fatalf("TreeKind is %v, want %v", got, t.Kind)
	}
	select {
	case <-w.Ready:
	case <-time.After(testkit.Stuck / 2):
		c.Kill()
		t.Fatal("the command does not become ready")
	}
	return w
}

// Stop stops all of the tree. A process that waits for its vfork to end cannot be
// stopped while the one that it is forking is.
func (t *Tree) Stop(c *xexec.Cmd) {
	t.Helper()
	var states []string
	for end := time.Now().Add(testkit.Stuck / 4); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if err := errors.Join(c.Signal(syscall.SIGCONT), c.Signal(syscall.SIGSTOP)); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			states = nil
			for _, pid := range testkit.Marked(t.Mark) {
				if state := testkit.ProcessState(pid); state != "T" {
					states = append(states, fmt.Sprintf("%d in state %s", pid, state))
				}
			}
			if states == nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	t.Fatalf("not stopped: %v", states)
}

// Gone fails if something of the tree is alive.
func (t *Tree) Gone() {
	t.Helper()
	if pids := testkit.Marked(t.Mark); pids != nil {
		t.Errorf("alive: %v", pids)
	}
}

// Soon fails if f takes so long that it must have waited for what it must not:
// those that sleep, or a deadline of stuck.
func (t *Tree) Soon(f func()) {
	t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took > testkit.Stuck/2 {
		t.Errorf("it took %v", took)
	}
}

// Scripts that say when they are ready: Polite leaves on SIGTERM after a clean-up,
// and Deaf ignores it.
const (
	Polite = `trap 'trap "" TERM; sleep 0.2; echo clean; exit 0' TERM; echo ready; while :; do sleep 0.01; done`
	Deaf   = `trap "" TERM; echo ready; while :; do sleep 0.01; done`
)

// Politely is a script whose leader exits with status 0 on SIGTERM at once, and
// that has another process besides.
func Politely(member string) string {
	return `trap "exit 0" TERM; ` + InShell(member) + ` & while :; do sleep 0.01; done`
}

// InShell is the script as a command of another.
func InShell(script string) string {
	return "sh -c '" + strings.ReplaceAll(script, "'", `'\''`) + "'"
}
