//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd || windows

package exits

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"

	"example.com/xexec/internal/testkit"
)

func init() {
	testkit.Register("parent", helperParent)
}

// needWatch skips the test where waits cannot be called off and nothing watched.
func needWatch(t testing.TB) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := Watch(self, func(<-chan struct{}) {}); err != nil {
		testkit.Lack(t, "no exit can be watched: ", err)
	}
	self.Release()
}

// startWatch watches p until stop is called, or the test is over.
func startWatch(t testing.TB, p *os.Process) (gone <-chan struct{}, stop func()) {
	t.Helper()
	gone, stop, err := tryWatch(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return gone, stop
}

func tryWatch(p *os.Process) (gone <-chan struct{}, stop func(), err error) {
	called, stopped, over := make(chan (<-chan struct{})), make(chan struct{}), make(chan error, 1)
	go func() {
		over <- Watch(p, func(exited <-chan struct{}) {
			called <- exited
			<-stopped
		})
	}()
	select {
	case gone = <-called:
		return gone, sync.OnceFunc(func() { close(stopped); <-over }), nil
	case err = <-over:
		return nil, nil, err
	}
}

// goroutines returns how many goroutines are in a function of this package, or were
// created by it.
func goroutines(function string) int {
	return len(testkit.Goroutines("internal/exits." + function))
}

// expectNothingLeft checks that nobody waits, and nothing does it for him.
func expectNothingLeft(t testing.TB) {
	t.Helper()
	testkit.Eventually(t, "nothing is left", func() bool { return len(testkit.Goroutines("created by example.com/xexec/internal/exits.(")) == 0 })
	if n := threads.Load(); n != 0 {
		t.Errorf("%d threads wait", n)
	}
}

// awaitWaits waits until n goroutines are about to block in a Wait.
func awaitWaits(t testing.TB, n int) {
	t.Helper()
	testkit.Eventually(t, fmt.Sprintf("%d wait", n), func() bool {
		return goroutines("(*Process).block(")+goroutines("watch(") == n
	})
}

// A child runs until its Stdin ends. It is killed and reaped after the test.
type child struct {
	*exec.Cmd
	stdin io.WriteCloser
}

func startChild(t testing.TB) *child {
	t.Helper()
	if runtime.GOOS == "windows" {
		return start(t, testkit.Command(t, "cat"))
	}
	return start(t, exec.Command("cat"))
}

func start(t testing.TB, cmd *exec.Cmd) *child {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd, stdin}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	return c
}

// kill makes c exit.
func (c *child) kill(t testing.TB) {
	t.Helper()
	if err := c.Process.Kill(); err != nil {
		t.Error(err)
	}
}

// expectStatus checks that c's status, after kill, is there for who reaps it.
func (c *child) expectStatus(t testing.TB) {
	t.Helper()
	state, err := c.Process.Wait()
	if err != nil || state.Success() {
		t.Errorf("os.Process.Wait: %v, %v", state, err)
	}
}

// A grandchild is a process that runs, and whose parent does as it is told.
type grandchild struct {
	t       testing.TB
	os      *os.Process
	parent  *child
	replies *bufio.Scanner
}

func startGrandchild(t testing.TB) *grandchild {
	t.Helper()
	cmd := testkit.Command(t, "parent")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	cmd.Stdout = w
	g := &grandchild{t: t, parent: start(t, cmd), replies: bufio.NewScanner(r)}
	w.Close()
	var pid int
	if _, err := fmt.Sscan(g.reply(), &pid); err != nil {
		t.Fatal(err)
	}
	if g.os, err = os.FindProcess(pid); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.os.Release() })
	return g
}

func (g *grandchild) reply() string {
	g.replies.Scan()
	return g.replies.Text()
}

// tell makes the parent end its child, or reap it.
func (g *grandchild) tell(what string) {
	g.t.Helper()
	fmt.Fprintln(g.parent.stdin, what)
	if reply := g.reply(); reply != what {
		g.t.Fatalf("%s: %q", what, reply)
	}
}

func helperParent([]string) int {
	self, _ := os.Executable()
	cmd := exec.Command(self, testkit.HelperArg, "cat")
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(cmd.Process.Pid)
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		switch orders.Text() {
		case "end":
			stdin.Close()
		case "reap":
			cmd.Wait()
		}
		fmt.Println(orders.Text())
	}
	stdin.Close()
	cmd.Wait()
	return 0
}
