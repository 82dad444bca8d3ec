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
// has reaped p: if it is no child of ours, somebody has.
func (p *Process) waitid(options int) (code int32, err error) {
	e := withPidfd(p.OS, func(pidfd int) { code, err = waitPidfd(pidfd, options) })
	switch e {
	case nil:
		return code, err
	case os.ErrProcessDone:
		return cldDumped, nil
	case os.ErrNoHandle:
		if code, err = waitid(unix.P_PID, p.pid, options); errors.Is(err, unix.ECHILD) {
			return cldDumped, nil
		}
		return code, err
	}
	return 0, e
}

// waitPidfd is waitid for a pidfd, which tells a child that somebody has reaped
// from a process that is no child of ours.
func waitPidfd(pidfd, options int) (code int32, err error) {
	code, err = waitid(unix.P_PIDFD, pidfd, options)
	if errors.Is(err, unix.ECHILD) && readable(pidfd) {
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

// withPidfd calls f with p's pidfd, which is open and p's until f returns. It
// returns os.ErrNoHandle if p may run and has none, os.ErrProcessDone if it is
// gone, and an error if it was released.
func withPidfd(p *os.Process, f func(pidfd int)) error {
	err := p.WithHandle(func(handle uintptr) { f(int(handle)) })
	if err != os.ErrNoHandle {
		return err
	}
	if done, released := known(p); done {
		return os.ErrProcessDone
	} else if released != nil {
		return released
	}
	return err
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

// poll registers the very pidfd that the os.Process owns. withPidfd keeps that
// open until the registration is gone, whoever else waits for the process or
// releases it. So no other file can get the number, and no event is lost with a
// descriptor that was closed before it was fetched. Nor is one for a process that
// exited earlier: a pidfd stays readable.
func (p *Process) poll(cancel <-chan struct{}) (o outcome) {
	withPidfd(p.OS, func(pidfd int) {
		w, err := shared.add(pidfd)
		if err != nil {
			return
		}
		defer shared.leave(w)
		if o = w.wait(cancel); o != sawExit {
			return
		}
		if code, err := waitPidfd(pidfd, unix.WNOHANG); code == 0 || err != nil {
			o = notPolled // it is traced, and its tracer has not let it go
		}
	})
	return o
}

// watch registers a duplicate of p's pidfd, as nothing else keeps that open.
func watch(p *os.Process) (<-chan struct{}, func(), error) {
	var pidfd int
	var err error
	e := withPidfd(p, func(fd int) {
		pidfd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	})
	if e != nil {
		return nil, nil, e
	}
	if err != nil {
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

// Here calls f with p's pidfd, which can be read once p has exited, on a thread that
// f may block. It calls f with -1 if there is no pidfd, or if enough threads block.
func (p *Process) Here(f func(pidfd int)) {
	if takeThread() {
		defer giveThread()
		if withPidfd(p.OS, f) == nil {
			return
		}
	}
	f(-1)
}
