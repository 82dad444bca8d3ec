//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package tree

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// A Tree is the process group that the leader leads. Its id is the leader's as long
// as that is unreaped: if somebody who waits for any child has taken it, that is not
// seen. (Signal 0 does not tell: where it cannot be sent to a zombie, that looks the
// same.)
type Tree struct {
	leader   *os.Process
	pid      int       // the leader's, which Release overwrites
	terminal *terminal // or nil
	closed   bool
}

func newTree(attr *syscall.SysProcAttr) (*Tree, error) {
	if err := setGroup(attr); err != nil {
		return nil, err
	}
	return &Tree{terminal: openTerminal(attr)}, nil
}

// Kind returns what holds the tree.
func (t *Tree) Kind() Kind { return ProcessGroup }

// Signal sends sig to all processes of the tree. Somebody of it is alive.
func (t *Tree) Signal(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return errors.New("os: unsupported signal type")
	}
	if t.leader.Pid <= 0 {
		return t.leader.Signal(s) // it was released, which is what that says
	}
	err := syscall.Kill(-t.pid, s)
	if err == syscall.ESRCH {
		return t.leader.Signal(s) // the leader has joined another group meanwhile
	}
	if group, e := syscall.Getpgid(t.pid); e == nil && group != t.pid {
		t.leader.Signal(s) // the leader has left the group, and others are in it
	}
	return err
}

// Kill kills all processes of the tree, and they cannot fork any more when it
// returns. It returns nil if that has reached all that can be killed.
func (t *Tree) Kill() error {
	err := t.Signal(syscall.SIGKILL)
	t.leader.Signal(syscall.SIGKILL) // it may have left others behind in its group
	return err
}

// Member returns a process of the tree, other than the leader, that is alive and that
// we may kill. The leader has exited: if it is no zombie, it has been reaped, and the
// group may be another's.
//
// There is no handle: before the caller begins to watch p, its id can become
// another's. A Member that is called after that tells.
func (t *Tree) Member() (p *os.Process, left bool) {
	member, led := 0, false
	lookAtGroup(t.pid, func(pid int, zombie bool) {
		switch {
		case pid == t.pid:
			led = zombie
		case !zombie && syscall.Kill(pid, 0) != syscall.EPERM:
			member = pid
		}
	})
	if member == 0 || !led {
		return nil, false
	}
	p, _ = os.FindProcess(member)
	return p, true
}

// Close ends a tree that is over, or was not started: the terminal is given back.
func (t *Tree) Close() {
	if !t.closed {
		t.closed = true
		t.terminal.giveBack(t.pid, groupGone)
	}
}

// Abandon gives back what the tree needed of the system, and leaves its processes as
// they are. The terminal is given back if nobody has it.
func (t *Tree) Abandon() {
	if !t.closed {
		t.closed = true
		t.terminal.giveBack(0, groupGone)
	}
}

// withoutStop calls f so that it can give a terminal away from the background
// without being stopped by SIGTTOU: see tcsetpgrp(3). The signal is ignored
// meanwhile, which no child can inherit as none is forked. (A thread's signal mask
// cannot be set on all of these systems.) A signal.Notify for SIGTTOU is undone.
func withoutStop(f func()) {
	if !signal.Ignored(syscall.SIGTTOU) {
		syscall.ForkLock.Lock()
		defer syscall.ForkLock.Unlock()
		signal.Ignore(syscall.SIGTTOU)
		defer signal.Reset(syscall.SIGTTOU)
	}
	f()
}

func groupGone(pgid int) bool { return syscall.Kill(-pgid, 0) == syscall.ESRCH }
