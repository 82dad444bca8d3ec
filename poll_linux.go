package xexec

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxThreads is how many waits may block a thread each, in waitid(2). That is
// quicker than the poller, which has two goroutines to wake, one after the other.
const maxThreads = 16

// pollExit blocks until p has exited or cancel is closed.
//
// It registers the very pidfd that p owns. WithHandle keeps that open until the
// registration is gone, whoever else waits for p or releases it. So it is always
// this process that is registered, no other file can get the number, and no
// event is lost with a descriptor that was closed before it was fetched. Nor is
// one for a process that exited earlier: a pidfd stays readable.
func pollExit(p *os.Process, pid int, cancel <-chan struct{}) pollResult {
	result := notPolled
	p.WithHandle(func(pidfd uintptr) { result = exits.await(int(pidfd), cancel) })
	if result == polled {
		// A process that is being traced is the tracer's to see first, and
		// cannot be reaped before.
		if exited, err := observe(p, pid, false); !exited || err != nil {
			result = notPolled
		}
	}
	return result
}

const maxEvents = 64 // fetched at a time

// An exitQueue is an epoll(7) descriptor that is watched by the runtime's own,
// so that waiting for it takes no thread.
type exitQueue struct {
	file    *os.File
	conn    syscall.RawConn
	fd      int // file's, until close
	lastKey uint64
	events  [maxEvents]unix.EpollEvent
	keys    [maxEvents]uint64
}

func newExitQueue() (*exitQueue, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	unix.SetNonblock(fd, true) // or NewFile leaves it alone, and wait fails
	q := &exitQueue{fd: fd, file: os.NewFile(uintptr(fd), "epoll")}
	if q.conn, err = q.file.SyscallConn(); err != nil {
		q.file.Close()
		return nil, err
	}
	return q, nil
}

// key returns a key that no other process had in this queue, so that an event
// that was fetched a moment too late is not taken for another's.
func (q *exitQueue) key(int) uint64 {
	q.lastKey++
	return q.lastKey
}

// add registers pidfd. The event comes once, also if nobody removes it.
func (q *exitQueue) add(key uint64, pidfd int) error {
	return unix.EpollCtl(q.fd, unix.EPOLL_CTL_ADD, pidfd, &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLONESHOT,
		Fd:     int32(key),
		Pad:    int32(key >> 32),
	})
}

func (q *exitQueue) remove(pidfd int) {
	unix.EpollCtl(q.fd, unix.EPOLL_CTL_DEL, pidfd, nil) // no error: it is registered
}

// close makes wait return an error, if it has not returned, and waits for that.
func (q *exitQueue) close() { q.file.Close() }

func (q *exitQueue) release() {}

// wait waits for events and returns their keys. The runtime's poller tells of
// each new event; to ask for events first, and again for as long as there are
// any, is to miss none of those that came before it was listened to.
func (q *exitQueue) wait() (keys []uint64, err error) {
	n := 0
	readErr := q.conn.Read(func(fd uintptr) bool {
		for err = unix.EINTR; err == unix.EINTR; {
			n, err = unix.EpollWait(int(fd), q.events[:], 0)
		}
		return n != 0 || err != nil
	})
	if err == nil {
		err = readErr // closed, or not accepted by the runtime's poller
	}
	if err != nil {
		return nil, err
	}
	for i, e := range q.events[:n] {
		q.keys[i] = uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32
	}
	return q.keys[:n], nil
}

// hasPidfd reports whether package os waits for p, and signals it, by a pidfd.
func hasPidfd(p *os.Process) bool { return p.WithHandle(func(uintptr) {}) == nil }
