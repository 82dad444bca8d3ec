//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package xexec

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Every wait uses the poller; none blocks a thread of its own.
const maxThreads = 0

// pollExit blocks until p has exited or cancel is closed.
func pollExit(p *os.Process, pid int, cancel <-chan struct{}) pollResult {
	if p.Signal(syscall.Signal(0)) == os.ErrProcessDone {
		return polled
	}
	return exits.await(pid, cancel)
}

// An exitQueue is a kqueue(2). Its loop blocks a thread in it, the only one.
//
// Events call a process by its pid. While it is registered it is our child, and
// unreaped unless by somebody else, so that the pid is not another's; if one of a
// reaped child is used again so soon, whoever waits for the new one is refused,
// or told too early, and falls back to a wait of its own.
type exitQueue struct {
	kq          int
	wake, sleep *os.File // a pipe; the end of wake is an event, too
	events      [64]unix.Kevent_t
	keys        [64]uint64
}

func newExitQueue() (*exitQueue, error) {
	kq, err := unix.Kqueue() // a child does not inherit it
	if err != nil {
		return nil, err
	}
	q := &exitQueue{kq: kq}
	if q.sleep, q.wake, err = os.Pipe(); err != nil {
		unix.Close(kq)
		return nil, err
	}
	conn, err := q.sleep.SyscallConn()
	if err == nil {
		conn.Control(func(fd uintptr) { err = q.change(int(fd), unix.EVFILT_READ, unix.EV_ADD, 0) })
	}
	if err != nil {
		q.close()
		q.release()
		return nil, err
	}
	return q, nil
}

func (q *exitQueue) change(id, filter, flags int, fflags uint32) error {
	var change unix.Kevent_t
	unix.SetKevent(&change, id, filter, flags)
	change.Fflags = fflags
	for {
		_, err := unix.Kevent(q.kq, []unix.Kevent_t{change}, nil, nil)
		if err != unix.EINTR {
			return err
		}
	}
}

func (q *exitQueue) key(pid int) uint64 { return uint64(pid) }

// add registers pid. That fails with ESRCH if the process has exited, on some
// systems, which the wait that is then fallen back on is told at once.
func (q *exitQueue) add(_ uint64, pid int) error {
	return q.change(pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT, unix.NOTE_EXIT)
}

func (q *exitQueue) remove(pid int) {
	q.change(pid, unix.EVFILT_PROC, unix.EV_DELETE, unix.NOTE_EXIT) // ENOENT if the event was fetched
}

// close makes wait return.
func (q *exitQueue) close() { q.wake.Close() }

// release is for when nobody is in wait any more.
func (q *exitQueue) release() {
	unix.Close(q.kq)
	q.sleep.Close()
}

// wait waits for events and returns the pids.
func (q *exitQueue) wait() (keys []uint64, err error) {
	n := 0
	for err = unix.EINTR; err == unix.EINTR; {
		n, err = unix.Kevent(q.kq, nil, q.events[:], nil)
	}
	if err != nil {
		return nil, err
	}
	keys = q.keys[:0]
	for _, e := range q.events[:n] {
		if e.Filter == unix.EVFILT_PROC {
			keys = append(keys, uint64(e.Ident))
		}
	}
	return keys, nil
}

func hasPidfd(*os.Process) bool { return false }
