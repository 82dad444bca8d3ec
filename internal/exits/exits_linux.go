package exits

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// maxThreads is how many waits may block a thread each, in waitid(2). That is
// quicker than the poller, which has two goroutines to wake, one after the other.
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
// has reaped p. A pidfd is never another's.
func (p *Process) waitid(options int) (code int32, err error) {
	wait := func(idType, id int) {
		var info unix.Siginfo
		for err = unix.EINTR; err == unix.EINTR; {
			err = unix.Waitid(idType, id, &info, options|unix.WEXITED|unix.WNOWAIT, nil)
		}
		switch {
		case err == nil && info.Signo != 0:
			code = info.Code
		case err == unix.ECHILD && (idType == unix.P_PID || readable(id)):
			code, err = cldDumped, nil // reaped by somebody else
		}
		err = os.NewSyscallError("waitid", err)
	}
	e := p.OS.WithHandle(func(pidfd uintptr) { wait(unix.P_PIDFD, int(pidfd)) })
	if e == os.ErrNoHandle {
		var done bool
		if done, e = known(p.OS); e == nil && !done {
			wait(unix.P_PID, p.pid)
		} else if done {
			e = os.ErrProcessDone
		}
	}
	switch {
	case errors.Is(e, os.ErrProcessDone):
		return cldDumped, nil
	case e != nil:
		return 0, e
	}
	return code, err
}

// readable reports whether pidfd's process has exited, whoever its parent is.
func readable(pidfd int) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0)
		if err != unix.EINTR {
			return n == 1 && err == nil
		}
	}
}

// poll registers the very pidfd that the os.Process owns. WithHandle keeps that
// open until the registration is gone, whoever else waits for the process or
// releases it. So no other file can get the number, and no event is lost with a
// descriptor that was closed before it was fetched. Nor is one for a process that
// exited earlier: a pidfd stays readable.
func (p *Process) poll(cancel <-chan struct{}) (o outcome) {
	p.OS.WithHandle(func(pidfd uintptr) {
		w, err := shared.add(int(pidfd))
		if err != nil {
			return
		}
		defer shared.leave(w)
		o = w.wait(cancel)
	})
	if o == sawExit {
		// It may be traced, and its tracer has not let it go.
		if gone, err := p.exited(); !gone || err != nil {
			o = notPolled
		}
	}
	return o
}

// watch registers a duplicate of p's pidfd, as nothing else keeps that open.
func watch(p *os.Process) (<-chan struct{}, func(), error) {
	var pidfd int
	var err error
	e := p.WithHandle(func(fd uintptr) { pidfd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if e == os.ErrNoHandle {
		if done, known := known(p); done {
			e = os.ErrProcessDone
		} else if known != nil {
			e = known
		}
	}
	switch {
	case errors.Is(e, os.ErrProcessDone):
		return watchedNoMore()
	case e != nil:
		return nil, nil, e
	case err != nil:
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	w, err := shared.add(pidfd)
	if err != nil {
		unix.Close(pidfd)
		return nil, nil, err
	}
	return w.exited, sync.OnceFunc(func() {
		shared.leave(w)
		unix.Close(pidfd)
	}), nil
}
