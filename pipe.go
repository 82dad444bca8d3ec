package xexec

import (
	"io"
	"os"
	"sync"
	"time"
)

// A pipe connects the command with the caller.
type pipe struct {
	child  *os.File
	parent io.Closer // *os.File for StdinPipe, *pipeReader for the others
}

// release closes the parent's end when the command is complete.
func (p pipe) release() {
	p.child.Close() // already done, unless os/exec started the command
	if r, ok := p.parent.(*pipeReader); ok {
		r.take()
		return
	}
	p.parent.Close()
}

func (s *state) addPipe(c *Cmd, p pipe) {
	s.prepare(c, func() {
		s.pipes = append(s.pipes, p)
		s.childEnds = append(s.childEnds, p.child)
	})
}

// addReader wraps the read end of the pipe that os/exec has made for c, whose
// write end is child.
func (s *state) addReader(c *Cmd, r io.ReadCloser, child io.Writer) *pipeReader {
	p := &pipeReader{file: r.(*os.File), taken: make(chan struct{})}
	s.addPipe(c, pipe{child: child.(*os.File), parent: p})
	return p
}

type file = os.File

// A pipeReader is the parent's end of StdoutPipe and StderrPipe. It reads from
// the descriptor until take moves what is in the pipe to memory, and from there
// afterwards.
type pipeReader struct {
	*file

	// reading is held by whoever reads from the descriptor.
	reading sync.Mutex

	// mu guards what follows, and keeps a descriptor that is lent from being
	// closed. It is never held while anybody blocks in a read.
	mu      sync.Mutex
	closed  bool          // by the caller
	lent    bool          // given to another command, whose it is to read
	taking  bool          // take has begun; it sets the deadlines now
	blocked bool          // the descriptor may be in blocking mode
	left    bool          // it is left to the last reader
	taken   chan struct{} // closed when it is done
	rest    []byte        // what was in it
}

// Read reads from the pipe.
func (p *pipeReader) Read(b []byte) (int, error) {
	n, err, done := p.readFile(b)
	if done {
		return n, err
	}
	<-p.taken
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return 0, p.errClosed()
	case len(b) == 0:
		return 0, nil
	case len(p.rest) == 0:
		p.rest = nil
		return 0, io.EOF
	}
	n = copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// readFile reads from the descriptor. It is not done if that has been taken, or
// is being taken.
func (p *pipeReader) readFile(b []byte) (n int, err error, done bool) {
	p.reading.Lock()
	if !p.isTaking() {
		n, err = p.file.Read(b)
		done = n > 0 || err == nil || err == io.EOF || !p.isTaking()
		if done && n == 0 && err != nil && err != io.EOF && p.isClosed() {
			err = p.errClosed() // Windows says that the read was cancelled
		}
	}
	p.reading.Unlock()
	p.takeLeft()
	return n, err, done
}

func (p *pipeReader) errClosed() error {
	return &os.PathError{Op: "read", Path: p.Name(), Err: os.ErrClosed}
}

func (p *pipeReader) isTaking() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taking
}

// WriteTo writes to w what is read until the end of the output.
func (p *pipeReader) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{p})
}

// Close closes the pipe. What was not read is lost.
func (p *pipeReader) Close() error {
	p.mu.Lock()
	if p.taking && !p.closed {
		p.closed, p.rest = true, nil
		p.mu.Unlock()
		return nil
	}
	p.closed = true // so that it is neither lent nor taken from here on
	p.mu.Unlock()
	return p.closeFile()
}

// Fd returns the descriptor. As with a file, that sets it to blocking mode, where
// deadlines have no effect.
func (p *pipeReader) Fd() uintptr {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taking {
		return ^uintptr(0)
	}
	p.blocked = true
	return p.file.Fd()
}

// SetDeadline sets the deadline for reading, as SetReadDeadline does.
func (p *pipeReader) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

// SetReadDeadline sets the deadline for reads that have to wait. There are none
// once the command is complete.
func (p *pipeReader) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.taking && p.closed:
		return os.ErrClosed
	case p.taking:
		return nil
	}
	return p.file.SetReadDeadline(t)
}

// lend reports whether the descriptor can be given to a child as it is. If so,
// it is not closed until endLoan is called.
func (p *pipeReader) lend() bool {
	p.mu.Lock()
	if p.taking || p.closed {
		p.mu.Unlock()
		return false
	}
	p.blocked = true // by os.StartProcess
	return true
}

func (p *pipeReader) endLoan(failed bool) {
	p.lent = p.lent || !failed
	p.mu.Unlock()
}

func (p *pipeReader) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// take moves what is in the pipe to memory, at most what a pipe holds, and
// closes the descriptor. A Read that is waiting goes on in memory. If it cannot
// be made to stop waiting, it does the taking when it has stopped.
func (p *pipeReader) take() {
	p.mu.Lock()
	if p.closed || p.taking {
		p.mu.Unlock()
		return
	}
	p.taking = true
	if p.lent {
		// What is in the pipe is for the one that it was given to.
		p.file.Close()
		close(p.taken)
		p.mu.Unlock()
		return
	}
	blocked := p.blocked
	p.mu.Unlock()
	if p.stopReading(blocked) {
		p.takeRest()
		p.reading.Unlock()
		return
	}
	p.mu.Lock()
	p.left = true
	p.mu.Unlock()
	p.takeLeft()
}

// takeLeft does what take could not do on account of a reader. Take calls it
// after it has said so, and a reader after it has stopped, so one of them finds
// that nobody reads.
func (p *pipeReader) takeLeft() {
	p.mu.Lock()
	left := p.left
	p.mu.Unlock()
	if !left || !p.reading.TryLock() {
		return
	}
	defer p.reading.Unlock()
	select {
	case <-p.taken:
	default:
		p.takeRest()
	}
}

// takeRest moves the rest. The caller holds p.reading.
func (p *pipeReader) takeRest() {
	rest := readAvailable(p.file)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.rest = rest
	}
	p.file.Close()
	close(p.taken)
}
