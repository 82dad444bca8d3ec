//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package exits

import (
	"os"

	"golang.org/x/sys/unix"
)

const maxEvents = 64 // fetched at a time

// A queue is a kqueue(2). Its loop blocks a thread in it, the only one. It knows a
// process by its id, and its events have no turn: also one that is fetched too
// late says truly that the process has exited.
type queue struct {
	kq          int
	wake, sleep *os.File // a pipe; the end of wake is an event, too
	raw         [maxEvents]unix.Kevent_t
	events      [maxEvents]event
}

func newQueue() (*queue, error) {
	kq, err := unix.Kqueue() // a child does not inherit it
	if err != nil {
		return nil, os.NewSyscallError("kqueue", err)
	}
	q := &queue{kq: kq}
	if q.sleep, q.wake, err = os.Pipe(); err != nil {
		unix.Close(kq)
		return nil, err
	}
	conn, err := q.sleep.SyscallConn()
	if err == nil {
		conn.Control(func(fd uintptr) {
			var e unix.Kevent_t
			unix.SetKevent(&e, int(fd), unix.EVFILT_READ, unix.EV_ADD)
			err = q.change(e)
		})
	}
	if err != nil {
		q.close()
		q.release()
		return nil, err
	}
	return q, nil
}

func (q *queue) change(e unix.Kevent_t) error {
	for {
		_, err := unix.Kevent(q.kq, []unix.Kevent_t{e}, nil, nil)
		if err != unix.EINTR {
			return os.NewSyscallError("kevent", err)
		}
	}
}

// add registers a process id. That fails with ESRCH if the process has exited, on
// some systems.
func (q *queue) add(e event) error {
	return q.change(exitOf(e.id, unix.EV_ADD|unix.EV_ONESHOT))
}

func (q *queue) remove(pid int) {
	q.change(exitOf(pid, unix.EV_DELETE)) // ENOENT if the event was fetched
}

// close makes wait return.
func (q *queue) close() { q.wake.Close() }

// release is for when nobody is in wait any more.
func (q *queue) release() {
	unix.Close(q.kq)
	q.sleep.Close()
}

// wait waits for events.
func (q *queue) wait() (events []event, err error) {
	n := 0
	for err = unix.EINTR; err == unix.EINTR; {
		n, err = unix.Kevent(q.kq, nil, q.raw[:], nil)
	}
	if err != nil {
		return nil, err
	}
	events = q.events[:0]
	for _, e := range q.raw[:n] {
		if e.Filter == unix.EVFILT_PROC {
			events = append(events, event{id: int(e.Ident)})
		}
	}
	return events, nil
}
