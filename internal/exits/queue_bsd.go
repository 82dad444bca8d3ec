//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package exits

import (
	"os"

	"golang.org/x/sys/unix"
)

// A queue is a kqueue(2). Its loop blocks a thread in it, the only one. It knows a
// process by its id: also an event that is fetched too late says truly that the process
// has exited.
type queue struct {
	kq          int
	wake, sleep *os.File // a pipe; the end of wake is an event, too
	buffer      [64]unix.Kevent_t
	events      []unix.Kevent_t // what wait has found, in the buffer
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
	end := make([]unix.Kevent_t, 1)
	unix.SetKevent(&end[0], int(q.sleep.Fd()), unix.EVFILT_READ, unix.EV_ADD)
	if _, err := kevent(kq, end, nil, nil); err != nil {
		q.close()
		q.release()
		return nil, err
	}
	return q, nil
}

// add registers a process id. That fails with ESRCH if the process has exited, on
// some systems.
func (q *queue) add(pid int) error { return changeExit(q.kq, pid, unix.EV_ADD|unix.EV_ONESHOT) }

func (q *queue) remove(pid int) {
	changeExit(q.kq, pid, unix.EV_DELETE) // ENOENT if the event was fetched
}

// close makes wait return.
func (q *queue) close() { q.wake.Close() }

// release is for when nobody is in wait any more.
func (q *queue) release() {
	unix.Close(q.kq)
	q.sleep.Close()
}

// wait waits until there is something to fetch.
func (q *queue) wait() error {
	n, err := kevent(q.kq, nil, q.buffer[:], nil)
	q.events = q.buffer[:max(n, 0)]
	return err
}

func (q *queue) fetch() (pids []int, err error) {
	for _, e := range q.events {
		if e.Filter == unix.EVFILT_PROC {
			pids = append(pids, int(e.Ident))
		}
	}
	return pids, nil
}
