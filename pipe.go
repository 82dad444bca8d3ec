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

func (s *state) addPipe(p pipe) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pipes = append(s.pipes, p)
	s.childEnds = append(s.childEnds, p.child)
}

// addReader wraps the read end of the pipe that os/exec has made, whose write
// end is child.
func (s *state) addReader(r io.ReadCloser, child io.Writer) *pipeReader {
	p := &pipeReader{file: r.(*os.File), taken: make(chan struct{})}
	s.addPipe(pipe{child: child.(*os.File), parent: p})
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
	blocked bool          // Fd has made the descriptor blocking
	taken   chan struct{} // closed when take is done
	rest    []byte        // what it found
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
	defer p.reading.Unlock()
	if p.isTaking() {
		return 0, nil, false
	}
	n, err = p.file.Read(b)
	if n == 0 && err != nil && err != io.EOF {
		if p.isTaking() {
			return 0, nil, false // take has made us stop
		}
		if p.isClosed() {
			err = p.errClosed() // or Close has
		}
	}
	return n, err, true
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

// Fd returns the descriptor. As for a file, it is set to blocking mode.
func (p *pipeReader) Fd() uintptr {
	p.mu.Lock()
	defer p.mu.Unlock()
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
	if p.taking && !p.closed {
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
	p.lent, p.blocked = true, true // os.StartProcess makes it blocking
	return true
}

func (p *pipeReader) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

func (p *pipeReader) endLoan(failed bool) {
	p.lent = !failed
	p.mu.Unlock()
}

// take moves what is in the pipe to memory, at most what a pipe holds, and
// closes the descriptor. A Read that is waiting goes on in memory.
func (p *pipeReader) take() {
	p.mu.Lock()
	if p.closed || p.taking {
		p.mu.Unlock()
		return
	}
	p.taking = true
	if p.lent {
		// What is in the pipe is for the one that it was given to. Nor can a
		// read of ours be made to stop: it ends with the pipe.
		p.file.Close()
		close(p.taken)
		p.mu.Unlock()
		return
	}
	blocked := p.blocked
	p.mu.Unlock()

	if p.stopReading(blocked) {
		rest := readAvailable(p.file)
		p.mu.Lock()
		if !p.closed {
			p.rest = rest
		}
		p.mu.Unlock()
		p.reading.Unlock()
	}
	p.file.Close()
	close(p.taken)
}
