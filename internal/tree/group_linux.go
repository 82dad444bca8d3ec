package tree

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// signalGroup sends sig to the process group that p, whose id is pid, leads.
//
// With PIDFD_SIGNAL_PROCESS_GROUP (Linux 6.9, pidfd_send_signal(2)) the group is
// named by the leader's pidfd, which is never another's. Before that, by its id,
// and then it must be certain that the leader has not been reaped: it is not by
// us, and whether somebody else has done it, who waits for any child, is asked
// first. (Between the two calls he still can.)
func signalGroup(p *os.Process, pid int, sig syscall.Signal) error {
	var err error
	handleErr := p.WithHandle(func(fd uintptr) {
		err = unix.PidfdSendSignal(int(fd), sig, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)
	})
	if handleErr == os.ErrNoHandle || err == unix.EINVAL { // there is no pidfd, or no such flag
		if handleErr = unreaped(p, pid); handleErr == nil {
			err = syscall.Kill(-pid, sig)
		}
	}
	switch {
	case handleErr != nil:
		return handleErr
	case err == syscall.ESRCH:
		return p.Signal(sig) // the leader has joined another group meanwhile
	case err == nil && (sig == syscall.SIGKILL || !inGroup(pid, pid)):
		p.Signal(sig) // the leader may have left the group, or has, and others are in it
	}
	return err
}

// unreaped returns an error if p is not a child of ours, alive or a zombie. That
// os.Process has reaped it, it knows; that another wait has, the kernel. If that
// cannot be asked, the first answer must do.
func unreaped(p *os.Process, pid int) error {
	if err := p.Signal(syscall.Signal(0)); err != nil && err != syscall.EPERM {
		return err
	}
	if unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) == unix.ECHILD {
		return os.ErrProcessDone
	}
	return nil
}

func inGroup(pid, pgid int) bool {
	group, err := unix.Getpgid(pid)
	return err == nil && group == pgid
}

// processes returns all that are listed in /proc: nobody where that is missing, or of
// another pid namespace.
func processes() (pids []int, err error) {
	if !procIsOurs() {
		return nil, nil
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

// procIsOurs reports whether /proc is there, and of our pid namespace.
func procIsOurs() bool {
	self, err := os.Readlink("/proc/self")
	return err == nil && self == strconv.Itoa(os.Getpid())
}

// isScarcity reports whether a file could not be opened although it may be there.
func isScarcity(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM)
}
