package xexec

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// A tree is the process group that the leader leads, and where that was possible
// the cgroup that it was born into. Its methods are called with run.mu held,
// while the leader is unreaped.
type tree struct {
	cgroup *cgroup // or nil
	killed bool
}

func newTree(attr *syscall.SysProcAttr) (*tree, error) {
	if err := setGroup(attr); err != nil {
		return nil, err
	}
	t := new(tree)
	if !attr.UseCgroupFD {
		if t.cgroup = newCgroup(); t.cgroup != nil {
			attr.UseCgroupFD, attr.CgroupFD = true, int(t.cgroup.dir.Fd())
		}
	}
	return t, nil
}

// weaken makes of a tree that could not be started, perhaps on account of its
// cgroup, one that does without, and reports whether that is worth a try. Why
// clone3(2) may refuse: EBUSY for a cgroup that distributes resources,
// EOPNOTSUPP for one below a threaded one, EACCES and EPERM for lack of rights,
// ENOSYS or EPERM by a seccomp filter, EAGAIN for its pids.max; and execve(2) has
// the same numbers for reasons of its own, so they do not tell.
func (t *tree) weaken(attr *syscall.SysProcAttr) bool {
	if t == nil || t.cgroup == nil {
		return false
	}
	t.close()
	t.cgroup = nil
	attr.UseCgroupFD, attr.CgroupFD = false, 0
	return true
}

// adoptTree returns the tree of a process that os/exec has started and that leads
// its group.
func adoptTree() *tree { return new(tree) }

func (t *tree) kind() TreeKind {
	if t.cgroup != nil {
		return Cgroup
	}
	return ProcessGroup
}

// signal sends sig to all processes of the tree. That the leader is a zombie is
// no error.
func (t *tree) signal(p *os.Process, sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return errors.New("os: unsupported signal type")
	}
	err := signalGroup(p, s)
	if t.cgroup == nil || s == 0 && err == nil {
		return err
	}
	reached := 0
	if err == nil {
		reached = p.Pid
	}
	if t.cgroup.signalOthers(reached, s) {
		return nil
	}
	return err
}

func (t *tree) resume(p *os.Process) error {
	t.signal(p, syscall.SIGCONT) // who has gone since needs none
	return nil
}

// kill kills all processes of the tree. They cannot fork any more when it
// returns.
func (t *tree) kill(p *os.Process) error {
	t.killed = true
	err := signalGroup(p, syscall.SIGKILL)
	if t.cgroup != nil && t.cgroup.killAll() == nil {
		return nil
	}
	return err
}

// alive reports whether a process of the tree is alive that could be killed. If
// that cannot be seen, for lack of a descriptor, those who have not been killed
// are taken for alive, and those who have for dead.
func (t *tree) alive(p *os.Process) bool {
	if t.cgroup != nil {
		return t.cgroup.populated()
	}
	alive, unseen := groupAlive(p.Pid)
	return alive || unseen && !t.killed
}

// outlastsLeader reports whether the tree can be named when its leader is reaped,
// and the group's id perhaps another's.
func (t *tree) outlastsLeader() bool { return t.cgroup != nil }

func (t *tree) close() {
	if t.cgroup != nil {
		t.cgroup.remove()
	}
}

// signalGroup sends sig to the process group that p leads.
//
// With PIDFD_SIGNAL_PROCESS_GROUP (Linux 6.9, pidfd_send_signal(2)) the group is
// named by the leader's pidfd, which is never another's. Before that, by its id,
// and then it must be certain that the leader has not been reaped: it is not by
// us as long as run.mu is held, and whether somebody else has done it, who waits
// for any child, is asked first. (Between the two calls he still can.)
func signalGroup(p *os.Process, sig syscall.Signal) error {
	var err error
	handleErr := p.WithHandle(func(fd uintptr) {
		err = unix.PidfdSendSignal(int(fd), sig, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)
	})
	if handleErr == os.ErrNoHandle || err == unix.EINVAL { // there is no pidfd, or no such flag
		if handleErr = unreaped(p); handleErr == nil {
			err = syscall.Kill(-p.Pid, sig)
		}
	}
	switch {
	case handleErr != nil:
		return handleErr
	case err == syscall.ESRCH:
		return p.Signal(sig) // the leader has joined another group meanwhile
	case err == nil && sig == syscall.SIGKILL:
		p.Signal(sig) // as it may have, and have left others behind
	}
	return err
}

// unreaped returns an error if p is not a child of ours, alive or a zombie. That
// os.Process has reaped it, it knows; that another wait has, the kernel.
func unreaped(p *os.Process) error {
	if err := p.Signal(syscall.Signal(0)); err != nil && err != syscall.EPERM {
		return err
	}
	for {
		err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		switch err {
		case unix.EINTR:
		case unix.ECHILD:
			return os.ErrProcessDone
		default:
			return nil // or it cannot be asked, and the first answer must do
		}
	}
}

// groupAlive reports whether a process of the group is alive and can be signalled
// by us. Nobody lists the members of a group, so this asks every process that is
// listed in /proc for its group; where that is missing, or of another pid name
// space, the answer is no. It is unseen where there is no descriptor to look with.
//
// Members that fork while it looks can hide from it. They cannot any more once
// the group has been killed.
func groupAlive(pgid int) (alive, unseen bool) {
	proc, err := os.Open("/proc")
	if err != nil {
		return false, isScarcity(err)
	}
	defer proc.Close()
	dir := int(proc.Fd())
	buf := make([]byte, 512)
	n, _ := unix.Readlinkat(dir, "self", buf)
	if string(buf[:max(n, 0)]) != strconv.Itoa(os.Getpid()) {
		return false, false
	}
	for {
		names, err := proc.Readdirnames(256)
		for _, name := range names {
			pid, notPid := strconv.Atoi(name)
			if notPid != nil || !inGroup(pid, pgid) {
				continue
			}
			stat, err := readAt(dir, name+"/stat", buf)
			unseen = unseen || isScarcity(err)
			if isRunning(stat) && syscall.Kill(pid, 0) != syscall.EPERM {
				return true, false
			}
		}
		if err != nil || len(names) == 0 {
			return false, unseen
		}
	}
}

func inGroup(pid, pgid int) bool {
	group, err := unix.Getpgid(pid)
	return err == nil && group == pgid
}

// isRunning reports whether stat, from /proc/pid/stat, is that of a process that
// has not exited. See proc_pid_stat(5).
func isRunning(stat []byte) bool {
	// The name in parentheses may contain anything.
	_, rest, _ := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(" "))
	fields := bytes.Fields(rest)
	const state, threads = 0, 17
	if len(fields) <= threads {
		return false
	}
	// The first thread can be a zombie while others run.
	dead := string(fields[state]) == "Z" || string(fields[state]) == "X"
	return !dead || string(fields[threads]) != "1" && string(fields[threads]) != "0"
}

// isScarcity reports whether a file could not be opened although it may be there.
func isScarcity(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM)
}

// readAt returns the beginning of a file.
func readAt(dir int, name string, buf []byte) ([]byte, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		return buf[:max(n, 0)], err
	}
}
