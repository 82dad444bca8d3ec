//go:build linux

package tree

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is also the processes that tests start: helpers, by their name in
// helperEnv.
const helperEnv = "TREE_TEST_HELPER"

var helpers = map[string]func(){}

func TestMain(m *testing.M) {
	if name := os.Getenv(helperEnv); name != "" {
		os.Unsetenv(helperEnv)
		f := helpers[name]
		if f == nil {
			fmt.Println("no helper", name)
			os.Exit(2)
		}
		f()
		os.Exit(0)
	}
	// Nothing here takes long: a test that is stuck says where.
	time.AfterFunc(3*time.Minute, func() { debug.SetTraceback("all"); panic("stuck") })
	code := make(chan int)
	go func() { code <- m.Run() }()
	os.Exit(serveFirst(code))
}

func helper(name string) *exec.Cmd {
	c := exec.Command(self())
	c.Env = append(os.Environ(), helperEnv+"="+name)
	return c
}

func sh(script string) *exec.Cmd { return exec.Command("sh", "-c", script) }

// A run is a tree that a test has started, and what its processes write.
type run struct {
	*Tree
	launch *Launch
	cmd    *exec.Cmd
	out    *bufio.Reader
	input  *os.File
}

// launch starts c as a tree, whose processes have c's standard input and output.
func launch(t testing.TB, c *exec.Cmd, parentExit bool) *run {
	t.Helper()
	l, err := Prepare(c.SysProcAttr, c.Dir, true, parentExit)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{launch: l, cmd: c}
	if c.Stdin == nil {
		in, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		c.Stdin, r.input = in, w
		defer in.Close()
		t.Cleanup(func() { w.Close() })
	}
	if c.Stdout == nil {
		out, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		c.Stdout, r.out = w, bufio.NewReader(out)
		defer w.Close()
		out.SetReadDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { out.Close() })
	}
	if err := start(l, c); err != nil {
		l.Abort()
		t.Fatal(err)
	}
	r.Tree = l.Tree()
	t.Cleanup(func() {
		if r.cmd.ProcessState == nil {
			r.Kill()
			r.cmd.Wait()
		}
		r.Close()
		l.Reaped()
	})
	return r
}

// line returns what a process of the tree says next.
func (r *run) line(t testing.TB) string {
	t.Helper()
	s, err := r.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%q, %v", s, err)
	}
	return strings.TrimSpace(s)
}

// pid returns the process id that one of the tree says next.
func (r *run) pidLine(t testing.TB) (pid int) {
	t.Helper()
	if _, err := fmt.Sscan(r.line(t), &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

// letGo ends the leader that reads its input, and waits until it has exited.
func (r *run) letGo(t testing.TB) {
	t.Helper()
	r.input.Close()
	r.awaitExit(t)
}

func (r *run) awaitExit(t testing.TB) {
	t.Helper()
	eventually(t, "the leader has exited", r.exited)
}

// eventually waits for what no event tells of.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not true in time: %s", what)
		}
	}
}

// within fails the test if f does not return.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: stuck", what)
	}
}

// alone runs the calling test in a process of its own, with attr, and returns true in
// there. What it does to the whole process is no other test's matter.
func alone(t *testing.T, attr *syscall.SysProcAttr, env ...string) bool {
	t.Helper()
	const inside = "TREE_TEST_ALONE"
	if os.Getenv(inside) == t.Name() {
		return true
	}
	var pattern []string
	for name := range strings.SplitSeq(t.Name(), "/") {
		pattern = append(pattern, "^"+name+"$")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, self(), "-test.v", "-test.run="+strings.Join(pattern, "/"))
	c.WaitDelay = time.Second
	c.Env = append(append(os.Environ(), inside+"="+t.Name(), "GORACE=atexit_sleep_ms=0"), env...)
	c.SysProcAttr = attr
	c.Dir = "/"
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	switch {
	case attr != nil && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL)): // from the start
		t.Skip(err)
	case err != nil:
		t.Errorf("%v\n%s", err, out.String())
	case strings.Contains(out.String(), "--- SKIP: "+t.Name()+" ("):
		t.Skip(out.String())
	case !strings.Contains(out.String(), "--- PASS: "+t.Name()+" ("):
		t.Errorf("it did not run\n%s", out.String())
	case testing.Verbose():
		t.Log(out.String())
	}
	return false
}

// All of it once more as a user without rights, who can make no cgroup.
func TestAllAsNobody(t *testing.T) {
	const inside = "TREE_TEST_NOBODY"
	if os.Getuid() != 0 || os.Getenv(inside) != "" {
		t.Skip("we are nobody")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, self(), "-test.v")
	c.WaitDelay = time.Second
	c.Env = append(os.Environ(), inside+"=1", "TMPDIR=/tmp", "GORACE=atexit_sleep_ms=0")
	c.SysProcAttr = asNobody(t)
	c.Dir = "/"
	out, err := c.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip(err)
	}
	if err != nil || testing.Verbose() {
		t.Logf("%s", out)
	}
	if err != nil {
		t.Error(err)
	}
}

// asNobody are the attributes of a process that has no rights.
func asNobody(t *testing.T) *syscall.SysProcAttr {
	if os.Getuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}
