//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package exits

import (
	"cmp"
	"errors"
	"os"
	"sync"

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
	changes := []unix.Kevent_t{exitOf(p.pid, unix.EV_ADD|unix.EV_ONESHOT)}
	events := make([]unix.Kevent_t, 1)
	for {
		n, err := unix.Kevent(kq, changes, events, timeout)
		if err == unix.EINTR {
			continue // to add it again is the same registration
		}
		if err == nil && n > 0 && events[0].Flags&unix.EV_ERROR != 0 {
			err = unix.Errno(events[0].Data)
		}
		if err == unix.ESRCH {
			return true, nil
		}
		return n > 0 && err == nil, os.NewSyscallError("kevent", err)
	}
}

// exitOf returns what stands for the exit of a process in a kqueue.
func exitOf(pid, flags int) (e unix.Kevent_t) {
	unix.SetKevent(&e, pid, unix.EVFILT_PROC, flags)
	e.Fflags = unix.NOTE_EXIT
	return e
}

// poll registers the process id. It is p's: p is our child and unreaped, unless
// by somebody else. If the id of such a child is used again so soon, this waits
// for the wrong process.
func (p *Process) poll(cancel <-chan struct{}) outcome {
	w, err := shared.add(p.pid)
	switch {
	case errors.Is(err, unix.ESRCH):
		return sawExit
	case err != nil:
		return notPolled
	}
	defer shared.leave(w)
	return w.wait(cancel)
}

func watch(p *os.Process) (<-chan struct{}, func(), error) {
	if done, err := known(p); done || err != nil {
		return nil, nil, cmp.Or(err, os.ErrProcessDone)
	}
	w, err := shared.add(p.Pid)
	if errors.Is(err, unix.ESRCH) {
		err = os.ErrProcessDone
	}
	if err != nil {
		return nil, nil, err
	}
	return w.exited, sync.OnceFunc(func() { shared.leave(w) }), nil
}

// Here calls f with -1: no descriptor tells of the exit.
func (p *Process) Here(f func(int)) { f(-1) }
