//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package xexec

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const fionread = 0x4004667f // _IOR('f', 127, int), <sys/filio.h>

// observe reports whether p has exited, without reaping it; with block, it waits
// for that. An error says that it cannot be observed.
//
// It asks a kqueue(2) for NOTE_EXIT. A process that has exited is not found
// (ESRCH) on some of these systems; on the others the event is there at once.
// That somebody else has reaped it looks the same, and the reaping will tell.
// The event can come a moment before wait4 finds the zombie, so the caller must
// reap with a wait that blocks.
func observe(p *os.Process, pid int, block bool) (exited bool, err error) {
	if err := p.Signal(syscall.Signal(0)); err == os.ErrProcessDone {
		return true, nil
	}
	kq, err := unix.Kqueue()
	if err != nil {
		return false, os.NewSyscallError("kqueue", err)
	}
	defer unix.Close(kq) // a child does not inherit it

	var event unix.Kevent_t
	unix.SetKevent(&event, pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	event.Fflags = unix.NOTE_EXIT
	changes := []unix.Kevent_t{event}
	events := make([]unix.Kevent_t, 1)
	var timeout *unix.Timespec
	if !block {
		timeout = new(unix.Timespec)
	}
	for {
		n, err := unix.Kevent(kq, changes, events, timeout)
		switch {
		case err == unix.EINTR:
			continue // EV_ADD again is the same registration
		case err == unix.ESRCH:
			return true, nil
		case err != nil:
			return false, os.NewSyscallError("kevent", err)
		case n > 0 && events[0].Flags&unix.EV_ERROR != 0:
			if unix.Errno(events[0].Data) == unix.ESRCH {
				return true, nil
			}
			return false, os.NewSyscallError("kevent", unix.Errno(events[0].Data))
		}
		return n > 0, nil
	}
}
