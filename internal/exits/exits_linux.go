package exits

import (
	"cmp"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// maxThreads is how many waits, in waitid(2), and calls of Here may block a thread each.
// That is quicker than the poller, which has two goroutines to wake, one after the other.
const maxThreads = 16

func (p *Process) exited() (bool, error) {
	code, err := p.waitid(unix.WNOHANG)
	return code != 0 && code <= cldDumped, err
}

func (p *Process) block() (bool, error) {
	code, err := p.waitid(0)
	return code != 0, err
}

const cldDumped = 3 // CLD_DUMPED, after CLD_EXITED and CLD_KILLED: see sigaction(2)

// waitid returns the si_code for p's exit, or for its stop if we trace it, and 0
// if there is neither.
//
// Without a pidfd it goes by the process id, which is p's for as long as nobody
// has reaped p: if it is no child of ours, somebody has. By a pidfd it can tell a
// child that somebody has reaped from a process that is no child of ours.
func (p *Process) waitid(options int) (code int32, err error) {
	gone := false
	noPidfd := p.OS.WithHandle(func(pidfd uintptr) {
		code, err = waitid(unix.P_PIDFD, int(pidfd), options)
		gone = errors.Is(err, unix.ECHILD) && readable(int(pidfd))
	})
	if noPidfd != nil {
		if gone, err = known(p.OS); !gone && err == nil {
			code, err = waitid(unix.P_PID, p.pid, options)
			gone = errors.Is(err, unix.ECHILD)
		}
	}
	if gone {
		return cldDumped, nil
	}
	return code, err
}

func waitid(idType, id, options int) (code int32, err error) {
	var info unix.Siginfo
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Waitid(idType, id, &info, options|unix.WEXITED|unix.WNOWAIT, nil)
	}
	if err != nil || info.Signo == 0 {
		return 0, os.NewSyscallError("waitid", err)
	}
	return info.Code, nil
}

// readable reports whether the process of pidfd has exited, whoever its parent is.
func readable(pidfd int) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0)
		if err != unix.EINTR {
			return n == 1 && err == nil
		}
	}
}

// watch registers the very pidfd that p owns. WithHandle keeps that open until the
// registration is gone, whoever else waits for the process or releases it. So no
// other file can get the number, and no event is lost with a descriptor that was
// closed before it was fetched. An earlier exit is not missed either: a pidfd stays
// readable.
func watch(p *os.Process, f func(exited, failed <-chan struct{})) (err error) {
	noPidfd := p.WithHandle(func(pidfd uintptr) { err = shared.watch(int(pidfd), f) })
	return cmp.Or(noPidfd, err)
}
