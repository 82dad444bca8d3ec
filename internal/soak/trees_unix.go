//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"example.com/xexec"
)

func init() {
	scenarios = append(scenarios,
		scenario{"tree whose leader exits", treeExits},
		scenario{"tree that is shut down", treeShutDown},
		scenario{"tree whose context ends", treeCancelled},
		scenario{"tree that is waited for", treeWaited},
	)
	systemChildren["family"] = family
}

// family starts so many members, the first in a session of its own if it is told
// to, and exits or, if it is told to, stays until SIGTERM. All hold the mark.
func family(args []string) int {
	n, _ := strconv.Atoi(args[0])
	mark, err := os.OpenFile(args[3], os.O_WRONLY, 0)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	for i := range n {
		what := []string{childArg, "linger", "300000"}
		if i%2 == 0 {
			what = []string{childArg, "trap", "5"}
		}
		c := exec.Command(exe, what...)
		c.ExtraFiles = []*os.File{mark}
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: i == 0 && args[1] == "setsid"}
		if err := c.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Println("ready")
	if args[2] == "stay" {
		<-asked
		return 7
	}
	return 0
}

// cgroups reports whether a tree cannot be left with setsid here.
var cgroups = sync.OnceValue(func() bool {
	c := command("serve", "0")
	c.SetTree(true)
	in, err := c.StdinPipe()
	if !begin("cgroups", c, err) {
		return false
	}
	inCgroup := c.TreeKind() == xexec.Cgroup
	if inCgroup && takeStock().cgroups == 0 {
		fail("the stock does not show the cgroups")
	}
	in.Close()
	finished("cgroups", c, c.Wait())
	return inCgroup
})

// newMark returns one end of a named pipe. A pipe that is inherited would not do:
// whatever else is forked here has a copy of it, too, until its exec.
func newMark() (path string, mark *os.File, err error) {
	path = filepath.Join(os.TempDir(), fmt.Sprintf("soak-%d-%x", os.Getpid(), rand.Uint64()))
	if err = unix.Mkfifo(path, 0o600); err == nil {
		mark, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	}
	return path, mark, err
}

// startFamily starts a tree, which is complete when startFamily returns. The mark
// is at its end when nobody of it is alive.
func startFamily(what string, rnd *rand.Rand, ctx context.Context, end string) (c *xexec.Cmd, mark *os.File) {
	session := "stay"
	// A tree that is started while descriptors are short may have no cgroup.
	if !short.Load() && cgroups() && rnd.IntN(2) == 0 {
		session = "setsid"
	}
	path, mark, err1 := newMark()
	defer os.Remove(path)
	c = command("family", fmt.Sprint(rnd.IntN(4)), session, end, path)
	if ctx.Done() != nil {
		c = xexec.CommandContext(ctx, c.Path, c.Args[1:]...)
		c.Cancel = c.Terminate
		c.WaitDelay = time.Duration(1+rnd.IntN(100)) * time.Millisecond
	}
	c.SetTree(true)
	out, err2 := c.StdoutPipe()
	spoil(c, err1, err2)
	err := c.Start()
	if prevented(ctx, c, err) || !begun(what, c, err) {
		mark.Close()
		return nil, nil
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" && ctx.Err() == nil {
		fail("%s: %q, %v", what, line, err)
	}
	return c, mark
}

// expectNobody checks that nobody of a tree is alive when its Wait or Shutdown
// has returned. While descriptors are short, who has been killed may take a moment:
// it cannot be looked at.
func expectNobody(what string, c *xexec.Cmd, mark *os.File) {
	defer mark.Close()
	mark.SetReadDeadline(time.Now().Add(time.Minute))
	conn, err := mark.SyscallConn()
	if err != nil {
		fail("%s: %v", what, err)
		return
	}
	conn.Read(func(fd uintptr) (done bool) {
		for err = syscall.EINTR; err == syscall.EINTR; {
			_, err = syscall.Read(int(fd), make([]byte, 1)) // it does not block
		}
		return err == nil || !short.Load()
	})
	if err != nil {
		fail("%s, a %v: somebody is left: %v", what, c.TreeKind(), err)
	}
}

func treeExits(rnd *rand.Rand) {
	c, mark := startFamily("tree whose leader exits", rnd, context.Background(), "exit")
	if c == nil {
		return
	}
	stolen := c.TreeKind() == xexec.Cgroup && rnd.IntN(2) == 0
	if stolen {
		c.Std().Wait() // which reaps the leader, and ends nobody
	}
	err := waiters("tree whose leader exits", rnd, c)()
	if !stolen {
		expectCode("tree whose leader exits", err, 0)
	} else if !errors.Is(err, syscall.ECHILD) {
		fail("tree whose leader os/exec has reaped: %v", err)
	}
	expectNobody("tree whose leader exits", c, mark)
	finished("tree whose leader exits", c, err)
}

func treeShutDown(rnd *rand.Rand) {
	c, mark := startFamily("tree that is shut down", rnd, context.Background(), "stay")
	if c == nil {
		return
	}
	time.Sleep(lifetime(rnd) / 2)
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Duration(rnd.IntN(120))*time.Millisecond, errCause)
	defer cancel()
	end := c.Shutdown(ctx)
	if end != nil && !errors.Is(end, errCause) {
		fail("tree: Shutdown: %v", end)
	}
	expectNobody("tree that is shut down", c, mark)
	err := c.Wait()
	if errors.Is(end, errCause) {
		killed.Add(1)
	} else {
		expectCode("tree that is shut down", err, 7)
	}
	finished("tree that is shut down", c, err)
}

func treeCancelled(rnd *rand.Rand) {
	ctx, cancel := ending(rnd)
	defer cancel()
	c, mark := startFamily("tree whose context ends", rnd, ctx, "stay")
	if c == nil {
		return
	}
	err := waiters("tree whose context ends", rnd, c)()
	killed.Add(1)
	if err == nil || c.Cause() != context.Cause(ctx) {
		fail("tree whose context ends: %v, Cause: %v", err, c.Cause())
	}
	expectNobody("tree whose context ends", c, mark)
	finished("tree whose context ends", c, err)
}

// treeWaited is a tree that many wait for while it is ended in some way.
func treeWaited(rnd *rand.Rand) {
	c, mark := startFamily("tree that is waited for", rnd, context.Background(), "stay")
	if c == nil {
		return
	}
	result := waiters("tree that is waited for", rnd, c)
	time.Sleep(lifetime(rnd))
	code, end := -1, error(nil)
	switch rnd.IntN(3) {
	case 0:
		code, end = 7, c.Terminate()
	case 1:
		end = c.Kill()
	case 2:
		end = c.Process.Kill() // the leader alone
	}
	err := result()
	if end != nil {
		fail("tree that is waited for: its end: %v", end)
	}
	expectCode("tree that is waited for", err, code)
	expectNobody("tree that is waited for", c, mark)
	finished("tree that is waited for", c, err)
}
