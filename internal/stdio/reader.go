package stdio

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

type file = os.File

// A Reader is our end of a command's output, what StdoutPipe and StderrPipe return and
// copiers read: an os.File with nothing lost when the command is over. It reads from the
// descriptor until End's Close, and from memory afterwards.
//
// Nobody closes the descriptor beneath a call that uses it. Whoever is last in it
// when the command is over moves what is in the pipe to memory and closes it: End's
// Close, a Read, a function that was given to SyscallConn's methods, or a start that
// the Reader was lent to.
type Reader struct {
	*file

	// mu guards what follows. Nothing that may block is called under it.
	mu       sync.Mutex
	changed  sync.Cond // for those who wait for taken or closed
	users    int       // calls in the descriptor, and loans
	loans    int       // starts that have the descriptor, and are not over
	blocking bool      // the descriptor stays in blocking mode: the user, or a child, has it
	given    bool      // a child has it: what is in the pipe is the child's to read
	closed   bool      // by the user
	ended    bool      // by End's Close: nobody begins to use the descriptor
	taken    bool      // nobody uses it any more; rest is valid
	rest     []byte    // what was in the pipe
}

// NewReader returns a Reader of f, the read end of a pipe. It owns f.
func NewReader(f *os.File) *Reader {
	r := &Reader{file: f}
	r.changed.L = &r.mu
	return r
}

// enter reports whether the descriptor can be used, by a call or for a loan. If so, leave
// or endLoan is to be called.
func (r *Reader) enter(loans int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || r.closed {
		return false
	}
	r.users++
	r.loans += loans
	return true
}

// leave ends the use of the descriptor.
func (r *Reader) leave() {
	r.mu.Lock()
	r.users--
	r.unlock()
}

// unlock unlocks mu. If the command is over and nobody uses the descriptor any more, it
// takes what is in the pipe and closes it.
func (r *Reader) unlock() {
	last := r.ended && r.users == 0 // no new user can enter
	drain := !r.closed && !r.given
	r.mu.Unlock()
	if !last {
		return
	}
	var rest []byte
	if drain {
		rest = available(r.file)
	}
	r.file.Close() // if the user's Close has not
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken = true
	if !r.closed {
		r.rest = rest
	}
	r.changed.Broadcast()
}

// Read reads from the pipe.
func (r *Reader) Read(b []byte) (n int, err error) {
	if r.enter(0) {
		n, err = r.readFile(b)
		if n > 0 || !isInterrupted(err) {
			return n, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && !r.ended {
		return 0, err // at a deadline of the user's
	}
	for !r.taken && !r.closed {
		r.changed.Wait()
	}
	switch {
	case r.closed:
		return 0, r.errClosed("read")
	case len(b) == 0:
		return 0, nil
	case len(r.rest) == 0:
		r.rest = nil
		return 0, io.EOF
	}
	n = copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *Reader) readFile(b []byte) (int, error) {
	defer r.leave()
	n, err := r.file.Read(b)
	for len(b) > 0 && err == io.EOF && !isEnd(r.file) {
		n, err = r.file.Read(b)
	}
	return n, err
}

func (r *Reader) errClosed(op string) error {
	return &os.PathError{Op: op, Path: r.Name(), Err: os.ErrClosed}
}

// WriteTo writes to w what is read until the end of the output.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, withoutWriteTo{noWriteTo{}, r})
}

// A withoutWriteTo is a Reader whose WriteTo io.Copy does not see. It still has the
// other methods, as what os.File gives to a Writer's ReadFrom.
type withoutWriteTo struct {
	noWriteTo
	*Reader
}

type noWriteTo struct{}

var _ io.WriterTo = noWriteTo{}

func (noWriteTo) WriteTo(io.Writer) (int64, error) { panic("xexec: WriteTo of what has none") }

// Close closes the pipe. What was not read is lost.
func (r *Reader) Close() error {
	r.mu.Lock()
	again, ended := r.closed, r.ended
	r.closed, r.rest = true, nil
	r.changed.Broadcast()
	r.mu.Unlock()
	if again {
		return r.errClosed("close")
	}
	if ended {
		return nil // the last who uses the descriptor closes it
	}
	err := closeFile(r.file)
	if errors.Is(err, os.ErrClosed) {
		return nil // the command is over meanwhile
	}
	return err
}

// Fd returns the descriptor. As with a file, that sets it to blocking mode: a Read
// that begins later is not ended by a deadline, nor by the end of the command.
func (r *Reader) Fd() uintptr {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return ^uintptr(0)
	}
	r.blocking = true
	return r.file.Fd()
}

// SetDeadline sets the deadline for reading, as SetReadDeadline does.
func (r *Reader) SetDeadline(t time.Time) error { return r.SetReadDeadline(t) }

// SetReadDeadline sets the deadline for reads that have to wait. There are none
// once the command is over.
func (r *Reader) SetReadDeadline(t time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended && !r.closed {
		return nil
	}
	return r.file.SetReadDeadline(t)
}

// SyscallConn returns the descriptor's raw connection. Its methods return an error
// once the command is over, as those of a file that was closed.
func (r *Reader) SyscallConn() (syscall.RawConn, error) {
	conn, err := r.file.SyscallConn()
	if err != nil {
		return nil, err
	}
	return rawConn{r, conn}, nil
}

type rawConn struct {
	r    *Reader
	conn syscall.RawConn
}

func (c rawConn) Control(f func(uintptr)) error {
	return c.use(func() error { return c.conn.Control(f) })
}

func (c rawConn) Read(f func(uintptr) bool) error {
	return c.use(func() error { return c.conn.Read(f) })
}

func (c rawConn) Write(f func(uintptr) bool) error {
	return c.use(func() error { return c.conn.Write(f) })
}

func (c rawConn) use(do func() error) error {
	if !c.r.enter(0) {
		return os.ErrClosed
	}
	defer c.r.leave()
	return do()
}

// End returns a Closer. Closing it says that the command is over.
func (r *Reader) End() io.Closer { return readerEnd{r} }

type readerEnd struct{ r *Reader }

// Close blocks for 10 ms at most. A Read that waits goes on in memory.
func (e readerEnd) Close() error {
	r := e.r
	r.mu.Lock()
	if r.ended {
		r.mu.Unlock()
		return nil
	}
	r.ended = true
	if r.users > 0 {
		interrupt(r.file)
	}
	if r.blocking && !r.given {
		// Who has taken the descriptor with Fd may read from it, and be quicker.
		r.users++
		r.mu.Unlock()
		forAMoment(r.leave)
		return nil
	}
	r.unlock()
	return nil
}

// errEnded says that a Reader cannot be lent any more.
var errEnded = errors.New("xexec: the command is over")

// lend returns a descriptor of the pipe for a child's Stdin. If it returns errEnded, the
// pipe is to be copied.
func (r *Reader) lend() (*os.File, error) {
	err := errEnded
	if r.enter(1) {
		var f *os.File
		if f, err = dup(r.file); err == nil { // nobody but the user closes it now
			return f, nil
		}
		r.endLoan(false)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		err = os.ErrClosed
	}
	return nil, err
}

// endLoan tells that the start for which lend was called has come to a process, or
// to none.
func (r *Reader) endLoan(started bool) {
	r.mu.Lock()
	r.loans--
	r.users--
	switch {
	case started:
		r.given, r.blocking = true, true
	case r.loans == 0 && !r.blocking:
		undoDup(r.file)
	}
	r.unlock()
}

// AbortEnd closes one of the parent's ends of a command that could not be started:
// a Reader is closed, as under os/exec, and has nothing to read. It blocks for 10 ms at
// most.
func AbortEnd(c io.Closer) {
	if end, ok := c.(readerEnd); ok {
		end.r.mu.Lock()
		end.r.closed = true
		end.r.mu.Unlock()
	}
	CloseEnd(c)
}

// CloseEnd closes c, one of the parent's ends, and ends a Write that waits. It waits for
// 10 ms at most for whoever uses the descriptor through SyscallConn, and leaves the rest
// to a goroutine.
func CloseEnd(c io.Closer) {
	if f, ok := c.(*os.File); ok {
		forAMoment(func() { closeFile(f) })
	} else {
		c.Close()
	}
}

// forAMoment waits for do, which goes on if that takes longer than 10 ms.
func forAMoment(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	timer := time.NewTimer(10 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
