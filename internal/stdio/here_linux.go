package stdio

import (
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// openHere opens a pipe of which only we see our end: no os.File is made for it before a
// goroutine copies, and CopyHere needs none.
func (c *copier) openHere() (child *os.File, err error) {
	c.fd, child, err = rawPipe(false)
	return child, err
}

// CopyHere copies the output that Copy has left to it, in the caller's goroutine, whose
// thread it blocks. It returns when that is copied, or the process has exited, which it
// reports, and what it wrote was read, or Cut was called. If a pipe is still open then,
// because a descendant of the process has it, goroutines go on.
//
// exitFD is the process's pidfd. If it is negative, all is left to goroutines. If
// mayCut is false, the caller of Cut sees to it that the process has exited before.
func (s *Streams) CopyHere(exitFD int, mayCut bool) (exited bool) {
	s.mu.Lock()
	var left [2]*copier
	some := false
	for i := range left {
		if c := &s.copiers[1+i]; !c.over() && c.end == nil {
			left[i], some = c, true
		}
	}
	poll, wake := some && exitFD >= 0 && !s.cut.Load(), -1
	if runtime.GOMAXPROCS(0) == 1 { // a goroutine that copies does not run while this thread blocks
		for i := range s.copiers {
			if c := &s.copiers[i]; !c.over() && c.end != nil {
				poll = false
			}
		}
	}
	if poll && mayCut {
		if fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC); err == nil {
			wake, s.wake = fd, func() { unix.Write(fd, []byte{7: 1}) }
		} else {
			poll = false
		}
	}
	s.mu.Unlock()
	if poll {
		exited = s.pollHere(&left, exitFD, wake)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wake != nil {
		s.wake = nil
		unix.Close(wake)
	}
	for _, c := range left {
		if c != nil {
			s.start(c)
		}
	}
	return exited
}

// pollHere copies until all outputs have ended, the process has exited or wake is written
// to. In left, those that have ended become nil.
func (s *Streams) pollHere(left *[2]*copier, exitFD, wake int) (exited bool) {
	timeout := -1
	var end hereEnd
	// After the exit, what the process has written is there to be read. A descendant
	// that writes without end is left to a goroutine.
	for afterExit := 0; afterExit < 100 && *left != [2]*copier{}; {
		fds := [...]unix.PollFd{{Fd: int32(exitFD)}, {Fd: int32(wake)}, {Fd: -1}, {Fd: -1}}
		if exited {
			fds[0].Fd, timeout = -1, 0
			afterExit++
		}
		for i, c := range left {
			if c != nil {
				fds[2+i].Fd = int32(c.fd)
			}
		}
		for i := range fds {
			fds[i].Events = unix.POLLIN
		}
		n, err := unix.Poll(fds[:], timeout)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil, n == 0, fds[1].Revents != 0:
			return exited
		}
		exited = exited || fds[0].Revents != 0
		for i, c := range left {
			events := fds[2+i].Revents
			if events == 0 {
				continue
			}
			some := events&unix.POLLIN != 0
			end = hereEnd{c.fd, some}
			if err := copyOutput(c.out, &end); err != nil || !some {
				left[i] = nil
				unix.Close(c.fd)
				s.finish(c, err)
			}
		}
	}
	return exited
}

// A hereEnd is the end of a pipe that poll(2) has told of. It can be read from once, and
// is then at its end. Less than there is room for is not the end of the output: of a pipe
// of packets (O_DIRECT) it is one packet. Nor is nothing: somebody else who has opened the
// pipe, as by /dev/stdout, may have been quicker.
type hereEnd struct {
	fd   int
	some bool // there is something to read
}

func (e *hereEnd) Read(b []byte) (n int, err error) {
	if !e.some {
		return 0, io.EOF
	}
	e.some = false
	for {
		n, err = unix.Read(e.fd, b)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, io.EOF
		case err != nil:
			return 0, &os.PathError{Op: "read", Path: "|0", Err: err}
		}
		return n, nil
	}
}
