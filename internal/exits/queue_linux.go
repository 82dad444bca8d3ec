package exits

import (
	"cmp"
	"os"

	"golang.org/x/sys/unix"
)

// A queue is an epoll(7) descriptor that is watched by the runtime's own, so that
// waiting for it takes no thread. It knows a process by its pidfd.
type queue struct {
	file   *os.File
	fd     int                 // file's, until close
	events [64]unix.EpollEvent // fetched at a time
}

func newQueue() (*queue, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	unix.SetNonblock(fd, true) // or NewFile leaves it alone, and wait fails
	return &queue{fd: fd, file: os.NewFile(uintptr(fd), "epoll")}, nil
}

// add registers a pidfd.
func (q *queue) add(pidfd int) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(pidfd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(q.fd, unix.EPOLL_CTL_ADD, pidfd, &e))
}

func (q *queue) remove(pidfd int) {
	unix.EpollCtl(q.fd, unix.EPOLL_CTL_DEL, pidfd, nil) // no error: it is registered
}

// close makes wait return an error, if it has not returned, and waits for that.
func (q *queue) close() { q.file.Close() }

func (q *queue) release() {}

// wait waits until there is something to fetch. The runtime's poller tells of each new
// event. To look first is to miss none of those that came before it listened.
func (q *queue) wait() error {
	conn, err := q.file.SyscallConn()
	if err != nil {
		return err
	}
	readErr := conn.Read(func(fd uintptr) bool {
		var n int
		n, err = unix.EpollWait(int(fd), q.events[:1], 0)
		return n != 0 || err != nil
	})
	return cmp.Or(err, readErr) // closed, or not accepted by the runtime's poller
}

// fetch returns the pidfds that can be read. An event is there until its pidfd is
// removed. As that and the adding are done under the same lock, none is of a process
// that had the number before.
func (q *queue) fetch() (pidfds []int, err error) {
	n, err := unix.EpollWait(q.fd, q.events[:], 0)
	for _, e := range q.events[:max(n, 0)] {
		pidfds = append(pidfds, int(e.Fd))
	}
	return pidfds, err
}
