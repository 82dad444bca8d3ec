package tree

import (
	"errors"
	"os"
	"slices"
	"syscall"

	"example.com/xexec/internal/tree/cgroup"
)

// A Tree is the process group that the leader leads, and where that was possible
// the cgroup that it was born into.
type Tree struct {
	leader   *os.Process
	pid      int           // the leader's, which Release overwrites
	cgroup   *cgroup.Group // or nil
	terminal *terminal     // or nil
	killed   bool
	closed   bool
	member   *os.Process  // that Member has named last, by a pidfd
	own      map[int]bool // by id, whether one that Member has named is the program's own child
}

func newTree(attr *syscall.SysProcAttr) (*Tree, error) {
	if err := setGroup(attr); err != nil {
		return nil, err
	}
	t := &Tree{terminal: openTerminal(attr)}
	if !attr.UseCgroupFD {
		t.cgroup = cgroup.New()
	}
	if t.cgroup != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, t.cgroup.FD()
	}
	return t, nil
}

// weaken changes a tree that could not be started, perhaps on account of its cgroup,
// to one that does without, and reports whether there is a difference. Why clone3(2)
// may refuse: EBUSY for a cgroup that distributes resources, EOPNOTSUPP for one below
// a threaded one, EACCES and EPERM for lack of rights, ENOSYS or EPERM by a seccomp
// filter, EAGAIN for its pids.max, ENOENT and ENODEV if somebody has removed it; and
// execve(2) has the same numbers for reasons of its own, so they do not tell. Only a
// program that is being written (ETXTBSY) is for the caller to try again as it is.
func (t *Tree) weaken(attr *syscall.SysProcAttr, err error) bool {
	if t == nil || t.cgroup == nil || errors.Is(err, syscall.ETXTBSY) {
		return false
	}
	t.cgroup.Remove()
	t.cgroup = nil
	attr.UseCgroupFD, attr.CgroupFD = false, 0
	return true
}

// Kind returns what holds the tree. It does not change after the start.
func (t *Tree) Kind() Kind {
	if t.cgroup != nil {
		return Cgroup
	}
	return ProcessGroup
}

// Signal sends sig to all processes of the tree. The caller has seen that somebody is
// alive: to signal a group of zombies is no error.
func (t *Tree) Signal(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return errors.New("os: unsupported signal type")
	}
	err := signalGroup(t.leader, t.pid, s)
	if t.cgroup == nil {
		return err
	}
	reached, others := t.cgroup.Signal(s, func(pid int) bool { return err == nil && (pid == t.pid || inGroup(pid, t.pid)) })
	switch {
	case err == nil || reached:
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

// Close ends a tree that is over, or was not started: the terminal is given back, the
// cgroup removed. Whoever is left in that is killed.
func (t *Tree) Close() {
	if !t.closed {
		t.closed = true
		t.setMember(nil)
		t.terminal.giveBack(t.pid, t.groupGone)
		t.cgroup.Remove()
	}
}

// Abandon gives back what the tree needed of the system, and leaves its processes as
// they are. The terminal is given back if nobody has it, the cgroup removed at once
// if nobody is in it, else when a later Prepare finds it so.
func (t *Tree) Abandon() {
	if !t.closed {
		t.closed = true
		t.setMember(nil)
		t.terminal.giveBack(0, t.groupGone)
		t.cgroup.Abandon()
	}
}

// groupGone reports whether nobody of a group is alive. Zombies that their parent has
// not reaped yet, as those of a job of the tree, are not.
func (t *Tree) groupGone(pgid int) bool {
	if syscall.Kill(-pgid, 0) == syscall.ESRCH {
		return true
	}
	if !procIsOurs() {
		return false
	}
	pids, err := processes()
	return err == nil && !slices.ContainsFunc(pids, func(pid int) bool { return inGroup(pid, pgid) && t.isRunning(pid) })
}
