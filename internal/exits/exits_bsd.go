//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package exits

import (
	"cmp"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Every wait uses the poller; none blocks a thread of its own.
const maxThreads = 0

func (p *Process) exited() (bool, error) { return p.look(new(unix.Timespec)) }

func (p *Process) block() (bool, error) { return p.look(nil) }

// look asks a kqueue(2) of its own for p's exit, and waits for it until timeout.
// A process that has exited is not found on some systems; on the others its event
// is there at once. That somebody has reaped it looks the same.
func (p *Process) look(timeout *unix.Timespec) (bool, error) {
	if done, err := known(p.OS); done || err != nil {
		return done, err
	}
	kq, err := unix.Kqueue() // a child does not inherit it
	if err != nil {
		return false, os.NewSyscallError("kqueue", err)
	}
	defer unix.Close(kq)
	n := 0
	if err = changeExit(kq, p.pid, unix.EV_ADD); err == nil {
		n, err = kevent(kq, nil, make([]unix.Kevent_t, 1), timeout)
	}
	if errors.Is(err, unix.ESRCH) {
		return true, nil
	}
	return n > 0, err
}

// watch registers the process id. It is p's: p is unreaped, unless by somebody else.
// If the id of such a process is used again so soon, this waits for the wrong one.
func watch(p *os.Process, f func(exited, failed <-chan struct{})) error {
	if done, err := known(p); done || err != nil {
		return cmp.Or(err, os.ErrProcessDone)
	}
	err := shared.watch(p.Pid, f)
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// changeExit adds the exit of a process to a kqueue, or takes it out.
func changeExit(kq, pid, flags int) error {
	var e unix.Kevent_t
	unix.SetKevent(&e, pid, unix.EVFILT_PROC, flags)
	e.Fflags = unix.NOTE_EXIT
	_, err := kevent(kq, []unix.Kevent_t{e}, nil, nil)
	return err
}

func kevent(kq int, changes, events []unix.Kevent_t, timeout *unix.Timespec) (n int, err error) {
	for err = unix.EINTR; err == unix.EINTR; {
		n, err = unix.Kevent(kq, changes, events, timeout)
	}
	return n, os.NewSyscallError("kevent", err)
}
