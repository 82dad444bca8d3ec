package tree

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"example.com/xexec/internal/tree/cgroup"
)

// A Tree is the process group that the leader leads, and where that was possible
// the cgroup that it was born into.
type Tree struct {
	leader   *os.Process
	pid      int           // the leader's, which Release overwrites
	cgroup   *cgroup.Group // or nil
	again    bool          // it is the second one
	terminal *terminal     // or nil
	killed   bool
	closed   bool
	members  members
}

func newTree(attr *syscall.SysProcAttr, _ bool) (*Tree, error) {
	if err := setGroup(attr); err != nil {
		return nil, err
	}
	t := &Tree{terminal: openTerminal(attr)}
	if !attr.UseCgroupFD {
		t.enter(cgroup.New(), attr)
	}
	return t, nil
}

// weaken changes a tree that could not be started, perhaps on account of its cgroup,
// to one that does without, and reports whether there is a difference. Why clone3(2)
// may refuse: EBUSY for a cgroup that distributes resources, EOPNOTSUPP for one below
// a threaded one, EACCES and EPERM for lack of rights, ENOSYS or EPERM by a seccomp
// filter, EAGAIN for its pids.max; and execve(2) has the same numbers for reasons of
// its own, so they do not tell.
//
// A program of another pid namespace may have taken the cgroup for one that is left,
// and removed it (ENOENT, ENODEV): then another one is made, once.
func (t *Tree) weaken(attr *syscall.SysProcAttr, err error) bool {
	if t == nil || t.cgroup == nil {
		return false
	}
	var another *cgroup.Group
	if t.cgroup.Gone() {
		if !t.again {
			another = cgroup.New()
		}
		t.again = true
	} else if errors.Is(err, syscall.ENOENT) {
		return false // it is the program that is missing
	}
	t.cgroup.Remove()
	t.enter(another, attr)
	return true
}

// enter has the leader be born into g, which may be nil.
func (t *Tree) enter(g *cgroup.Group, attr *syscall.SysProcAttr) {
	t.cgroup = g
	attr.UseCgroupFD, attr.CgroupFD = g != nil, 0
	if g != nil {
		attr.CgroupFD = g.FD()
	}
}

// Kind returns what holds the tree. It does not change after the start.
func (t *Tree) Kind() Kind {
	if t.cgroup != nil {
		return Cgroup
	}
	return ProcessGroup
}

// NamedWithoutLeader reports whether the tree can be signalled when its leader is
// reaped, and the group's id perhaps another's.
func (t *Tree) NamedWithoutLeader() bool { return t.cgroup != nil }

// Signal sends sig to all processes of the tree that are alive. It returns nil if it
// has reached one, os.ErrProcessDone if there was none.
func (t *Tree) Signal(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return errors.New("os: unsupported signal type")
	}
	if t.leaderExited() {
		// A group can be signalled without error though only its zombie is left.
		if _, left := t.Member(); !left {
			return os.ErrProcessDone
		}
	}
	err := signalGroup(t.leader, t.pid, s)
	if t.cgroup == nil || s == 0 && err == nil {
		return err
	}
	group := err == nil
	reached, others := t.cgroup.Signal(s, func(pid int) bool { return group && inGroup(pid, t.pid) })
	switch {
	case group || reached:
		return nil
	case others != nil:
		return others
	}
	return err
}

// Kill kills all processes of the tree, and they cannot fork any more when it
// returns. It returns nil if that has reached all that can be killed, whether or not
// there was one.
func (t *Tree) Kill() error {
	t.killed = true
	err := signalGroup(t.leader, t.pid, syscall.SIGKILL)
	if t.cgroup != nil {
		return t.cgroup.Kill()
	}
	return err
}

// leaderExited reports whether the leader is known to have exited.
func (t *Tree) leaderExited() bool {
	var info unix.Siginfo
	var err error
	waitid := func(idType, id int) {
		for err = unix.EINTR; err == unix.EINTR; {
			err = unix.Waitid(idType, id, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
		}
	}
	switch e := t.leader.WithHandle(func(fd uintptr) { waitid(unix.P_PIDFD, int(fd)) }); {
	case e == os.ErrNoHandle && t.leader.Signal(syscall.Signal(0)) == os.ErrProcessDone:
		return true
	case e == os.ErrNoHandle:
		waitid(unix.P_PID, t.pid)
	case e != nil:
		return errors.Is(e, os.ErrProcessDone)
	}
	const dumped = 3 // CLD_DUMPED; what is above it is a stop of a process that we trace
	return err == unix.ECHILD || err == nil && info.Signo != 0 && info.Code <= dumped
}

// abort gives back what was made for a leader that could not be started.
func (t *Tree) abort() {
	if t.cgroup != nil {
		t.cgroup.Remove()
	}
	t.terminal.giveBack(0) // it may have taken it, and not come as far as its execve(2)
	t.terminal.close()
	t.closed = true
}

// Close ends a tree that is over: the terminal is given back, the cgroup removed. If
// somebody is left in that, he is killed.
func (t *Tree) Close() {
	if t.closed {
		return
	}
	t.closed = true
	t.members.release()
	t.terminal.giveBack(t.pid)
	t.terminal.close()
	if t.cgroup != nil {
		t.cgroup.Remove()
	}
}

// Abandon gives back what the tree needed of the system, and leaves its processes as
// they are. The cgroup goes at once if nobody is in it, else when a later Prepare
// finds it so.
func (t *Tree) Abandon() {
	if t.closed {
		return
	}
	if t.terminal != nil && t.leaderExited() {
		if _, left := t.Member(); !left {
			t.terminal.giveBack(t.pid)
		}
	}
	t.closed = true
	t.members.release()
	t.terminal.close()
	if t.cgroup != nil {
		t.cgroup.Abandon()
	}
}
