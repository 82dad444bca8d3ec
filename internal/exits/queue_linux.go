package exits

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const maxEvents = 64 // fetched at a time

// A queue is an epoll(7) descriptor that is watched by the runtime's own, so that
// waiting for it takes no thread. It knows a process by its pidfd.
type queue struct {
	file   *os.File
	conn   syscall.RawConn
	fd     int // file's, until close
	raw    [maxEvents]unix.EpollEvent
	events [maxEvents]event
}

func newQueue() (*queue, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	unix.SetNonblock(fd, true) // or NewFile leaves it alone, and wait fails
	q := &queue{fd: fd, file: os.NewFile(uintptr(fd), "epoll")}
	if q.conn, err = q.file.SyscallConn(); err != nil {
		q.file.Close()
		return nil, err
	}
	return q, nil
}

// add registers a pidfd. Its event comes once, also if nobody removes it.
func (q *queue) add(e event) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(q.fd, unix.EPOLL_CTL_ADD, e.id, &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLONESHOT,
		Fd:     int32(e.id),
		Pad:    int32(e.turn),
	}))
}

func (q *queue) remove(pidfd int) {
	unix.EpollCtl(q.fd, unix.EPOLL_CTL_DEL, pidfd, nil) // no error: it is registered
}

// close makes wait return an error, if it has not returned, and waits for that.
func (q *queue) close() { q.file.Close() }

func (q *queue) release() {}

// wait waits for events. The runtime's poller tells of each new one. To ask for
// events first, and again for as long as there are any, is to miss none of those
// that came before it listened.
func (q *queue) wait() (events []event, err error) {
	n := 0
	readErr := q.conn.Read(func(fd uintptr) bool {
		for err = unix.EINTR; err == unix.EINTR; {
			n, err = unix.EpollWait(int(fd), q.raw[:], 0)
		}
		return n != 0 || err != nil
	})
	if err == nil {
		err = readErr // closed, or not accepted by the runtime's poller
	}
	if err != nil {
		return nil, err
	}
	for i, e := range q.raw[:n] {
		q.events[i] = event{int(e.Fd), uint32(e.Pad)}
	}
	return q.events[:n], nil
}
