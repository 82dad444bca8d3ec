package tree

import (
	"bytes"
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
	case err == nil && sig == syscall.SIGKILL:
		p.Signal(sig) // as it may have, and have left others behind
	}
	return err
}

// unreaped returns an error if p is not a child of ours, alive or a zombie. That
// os.Process has reaped it, it knows; that another wait has, the kernel.
func unreaped(p *os.Process, pid int) error {
	if err := p.Signal(syscall.Signal(0)); err != nil && err != syscall.EPERM {
		return err
	}
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		switch err {
		case unix.EINTR:
		case unix.ECHILD:
			return os.ErrProcessDone
		default:
			return nil // or it cannot be asked, and the first answer must do
		}
	}
}

// groupMembers returns the processes of the group, zombies too, save its leader.
// Nobody lists the members of a group, so this asks every process that is listed in
// /proc for its group; where that is missing, or of another pid namespace, there is
// nobody. It is unseen where there is no descriptor to look with.
//
// Members that fork while it looks can hide from it. They cannot any more once
// the group has been killed.
func groupMembers(pgid int) (pids []int, unseen bool) {
	proc, err := openProc()
	if err != nil {
		return nil, isScarcity(err)
	}
	defer proc.Close()
	for {
		names, err := proc.Readdirnames(1024)
		for _, name := range names {
			if pid, e := strconv.Atoi(name); e == nil && pid != pgid && inGroup(pid, pgid) {
				pids = append(pids, pid)
			}
		}
		if err != nil || len(names) == 0 {
			return pids, isScarcity(err)
		}
	}
}

// openProc opens /proc if that shows the processes of our pid namespace.
func openProc() (*os.File, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 32)
	n, err := unix.Readlinkat(int(proc.Fd()), "self", buf)
	if err == nil && string(buf[:n]) != strconv.Itoa(os.Getpid()) {
		err = errors.ErrUnsupported
	}
	if err != nil {
		proc.Close()
		return nil, err
	}
	return proc, nil
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
