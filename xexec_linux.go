package xexec

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const fionread = unix.TIOCINQ

// observe reports whether p has exited, without reaping it; with block, it waits
// for that. An error says that it cannot be observed.
//
// It asks with waitid(2), by p's pidfd where it has one (since Linux 5.3, where
// no seccomp filter forbids it) and by its process id otherwise. That nobody
// else can be meant by the id is for the caller to see to: the child must be
// unreaped. A child that somebody else has reaped has exited.
//
// One that we trace (SysProcAttr.Ptrace) and that has stopped has not, but ends a
// wait that blocks, as it ends os/exec's.
func observe(p *os.Process, pid int, block bool) (exited bool, err error) {
	options := unix.WEXITED | unix.WNOWAIT
	if !block {
		options |= unix.WNOHANG
	}
	var info unix.Siginfo
	waitid := func(idType, id int) {
		for err = unix.EINTR; err == unix.EINTR; {
			err = unix.Waitid(idType, id, &info, options, nil)
		}
	}
	switch e := p.WithHandle(func(fd uintptr) { waitid(unix.P_PIDFD, int(fd)) }); {
	case e == os.ErrNoHandle && p.Signal(unix.Signal(0)) == os.ErrProcessDone:
		return true, nil // the id may be another child's
	case e == os.ErrNoHandle:
		waitid(unix.P_PID, pid)
	case errors.Is(e, os.ErrProcessDone):
		return true, nil
	case e != nil:
		return false, e
	}
	if err == unix.ECHILD {
		return true, nil
	}
	return err == nil && info.Signo != 0 && (block || info.Code <= cldDumped), err
}

const cldDumped = 3 // CLD_DUMPED, after CLD_EXITED and CLD_KILLED: see sigaction(2)
