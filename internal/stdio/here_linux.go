package stdio

import (
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// A hereStream is an output that CopyHere copies.
type hereStream struct {
	fd  int // of the pipe, in blocking mode: it is read when poll(2) has said so
	out io.Writer
	to  sink // is out
}

// here is the part of Streams that CopyHere needs. Streams.mu guards it.
type here struct {
	streams []hereStream // nobody copies them yet
	polling bool         // CopyHere runs
	wake    int          // and this eventfd makes it return
}

// openHere opens a pipe for CopyHere, and reports whether out can be copied there.
func (s *Streams) openHere(out io.Writer) (child *os.File, ok bool, err error) {
	to := sinkOf(out)
	if to == nil {
		return nil, false, nil
	}
	fd, child, err := rawPipe(false)
	if err != nil {
		return nil, false, err
	}
	s.made = append(s.made, child)
	s.running++
	s.outputs++
	s.here.streams = append(s.here.streams, hereStream{fd, out, to})
	return child, true, nil
}

// CopyHere copies the output that OpenHere has left to it, in the caller's goroutine,
// whose thread it blocks. It returns when that is copied, or as soon as the process has
// exited, which it reports, or Cut was called. If a pipe is still open then, because a
// descendant of the process has it, goroutines go on as if Open had made it.
//
// exitFD is the process's pidfd. If it is negative, all is left to goroutines. If
// mayCut is false, the caller of Cut sees to it that the process has exited before.
func (s *Streams) CopyHere(exitFD int, mayCut bool) (exited bool) {
	if s == nil {
		return false
	}
	s.mu.Lock()
	streams := s.here.streams
	s.here.streams = nil
	if len(streams) > 0 && exitFD >= 0 && !s.cut.Load() {
		s.here.polling, s.here.wake = true, -1
		if mayCut {
			fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
			s.here.polling, s.here.wake = err == nil, fd
		}
	}
	polling, wake := s.here.polling, s.here.wake
	s.mu.Unlock()
	if !polling {
		s.handOver(streams)
		return false
	}
	streams, exited = s.pollHere(streams, exitFD, wake)
	s.mu.Lock()
	if wake >= 0 {
		unix.Close(wake)
	}
	s.here.polling = false
	s.mu.Unlock()
	s.handOver(streams)
	return exited
}

// pollHere copies until the streams have ended, the process has exited or wake is
// written to. It returns the streams that have not ended.
func (s *Streams) pollHere(streams []hereStream, exitFD, wake int) (_ []hereStream, exited bool) {
	fds := make([]unix.PollFd, 0, 4)
	timeout := -1
	// After the exit, what the process has written is there to be read. A descendant
	// that writes without end is left to a goroutine.
	for afterExit := 0; len(streams) > 0 && afterExit < 100; {
		fds = append(fds[:0],
			unix.PollFd{Fd: int32(exitFD), Events: unix.POLLIN},
			unix.PollFd{Fd: int32(wake), Events: unix.POLLIN})
		if exited {
			fds[0].Fd, timeout = -1, 0
			afterExit++
		}
		for _, h := range streams {
			fds = append(fds, unix.PollFd{Fd: int32(h.fd), Events: unix.POLLIN})
		}
		n, err := unix.Poll(fds, timeout)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil, n == 0, fds[1].Revents != 0:
			return streams, exited
		}
		exited = exited || fds[0].Revents != 0
		for i := len(streams) - 1; i >= 0; i-- {
			h, events := streams[i], fds[2+i].Revents
			if events == 0 {
				continue
			}
			if over, err := h.read(events&unix.POLLIN != 0); over {
				streams = slices.Delete(streams, i, i+1)
				unix.Close(h.fd)
				s.over(true, err)
			}
		}
	}
	return streams, exited
}

// read reads what is in the pipe, if anything, and reports whether that is the end. Less
// than there is room for is none: of a pipe of packets (O_DIRECT) it is one packet.
func (h hereStream) read(some bool) (over bool, err error) {
	n, room := 0, h.to.room()
	for some {
		n, err = unix.Read(h.fd, room)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return true, &os.PathError{Op: "read", Path: "|0", Err: err}
	}
	err = h.to.extend(n)
	if c, ok := h.to.(*Capture); ok && c.wantsLargePipe() {
		enlargePipe(uintptr(h.fd))
	}
	return n == 0 || err != nil, err
}

// handOver leaves the streams to goroutines.
func (s *Streams) handOver(streams []hereStream) {
	for _, h := range streams {
		s.mu.Lock()
		c := &copier{end: newEnd(h.fd, "|0"), out: h.out, cut: &s.cut}
		s.ends = append(s.ends, end{c.end, c.over.Load})
		if s.cut.Load() {
			interrupt(c.end, c.over.Load)
		}
		s.mu.Unlock()
		go s.run(c)
	}
}

// cutHere makes CopyHere return, and what it has not come to go to goroutines. It
// returns that, once Copy has been called. The caller holds mu.
func (s *Streams) cutHere() (idle []hereStream) {
	switch {
	case s.here.polling && s.here.wake >= 0:
		unix.Write(s.here.wake, []byte{7: 1})
	case s.ended != nil:
		idle, s.here.streams = s.here.streams, nil
	}
	return idle
}

// abortHere closes the pipes.
func (s *Streams) abortHere() {
	for _, h := range s.here.streams {
		unix.Close(h.fd)
	}
	s.here.streams = nil
}
