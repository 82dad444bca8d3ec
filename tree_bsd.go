//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package xexec

import (
	"errors"
	"os"
	"syscall"
)

// A tree is the process group that the leader leads. Its methods are called with
// run.mu held, while the leader is unreaped: so the group's id is still its own,
// unless somebody who waits for any child has taken the leader. (Signal 0 does not
// tell: where it cannot be sent to a zombie, that looks the same.)
type tree struct{}

func newTree(attr *syscall.SysProcAttr) (*tree, error) {
	return new(tree), setGroup(attr)
}

// adoptTree returns the tree of a process that os/exec has started and that leads
// its group.
func adoptTree() *tree { return new(tree) }

func (t *tree) weaken(*syscall.SysProcAttr) bool { return false }

func (t *tree) kind() TreeKind { return ProcessGroup }

func (t *tree) signal(p *os.Process, sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return errors.New("os: unsupported signal type")
	}
	if p.Pid <= 0 {
		return p.Signal(sig) // it was released, which is what that says
	}
	err := syscall.Kill(-p.Pid, s)
	if err == syscall.ESRCH {
		return p.Signal(sig) // the leader has joined another group meanwhile
	}
	return err
}

func (t *tree) resume(p *os.Process) error {
	t.signal(p, syscall.SIGCONT) // who has gone since needs none
	return nil
}

func (t *tree) kill(p *os.Process) error {
	err := t.signal(p, syscall.SIGKILL)
	p.Signal(syscall.SIGKILL) // the leader may have left others behind in its group
	return err
}

// alive reports whether a process of the group is alive that could be killed. The
// leader has exited; signal 0 does not tell, as it can be sent to a zombie.
func (t *tree) alive(p *os.Process) bool {
	for _, pid := range groupMembers(p.Pid) {
		if syscall.Kill(pid, 0) != syscall.EPERM {
			return true
		}
	}
	return false
}

func (t *tree) outlastsLeader() bool { return false }

func (t *tree) close() {}
