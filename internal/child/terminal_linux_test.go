package child_test

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/xexec/internal/child"
	"example.com/xexec/internal/testkit"
)

func init() { testkit.Register("abandons", helperAbandons) }

// helperAbandons abandons a tree in the foreground of its terminal, and prints whether
// it has the terminal back then: when the tree was over, and when it was not.
func helperAbandons([]string) int {
	for _, script := range []string{"exit 0", "sleep 1000 & exit 0"} {
		attr := &syscall.SysProcAttr{Foreground: true, Ctty: 0}
		started, err := child.Start(child.Spec{Cmd: &exec.Cmd{Path: "/bin/sh", Args: []string{"sh", "-c", script}, SysProcAttr: attr}, WholeTree: true})
		if err != nil {
			fmt.Println(err)
			return 1
		}
		var lock sync.Mutex
		c := child.New(started, attr, &lock, func() {})
		c.Watch(nil, nil)
		lock.Lock()
		c.Abandon()
		lock.Unlock()
		pgid, err := unix.IoctlGetUint32(0, unix.TIOCGPGRP)
		fmt.Println(int(pgid) == syscall.Getpgrp(), err)
		syscall.Kill(-c.Pid(), syscall.SIGKILL)
		started.OS.Wait()
	}
	return 0
}

// A tree that was over when its Cmd was collected gives its terminal back.
func TestAbandonGivesTheTerminalBack(t *testing.T) {
	testkit.NeedOwnProc(t)
	testkit.Deadline(t, testkit.Stuck)
	master, tty := testkit.OpenPty(t)
	c := testkit.Command(t, "abandons")
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Run(); err != nil {
		t.Error(err)
	}
	if out := strings.Fields(testkit.ReadTerminal(master, tty)); strings.Join(out, " ") != "true <nil> false <nil>" {
		t.Errorf("%q", out)
	}
}
