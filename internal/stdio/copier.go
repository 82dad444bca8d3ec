package stdio

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// A copier copies one stream between a pipe and the caller's Reader or Writer, in a
// goroutine of its own.
type copier struct {
	end  *os.File  // ours, of the pipe
	in   io.Reader // a Stdin, or
	out  io.Writer // a Stdout or Stderr
	cut  *atomic.Bool
	over atomic.Bool
}

// run copies, and closes the pipe.
func (c *copier) run() error {
	defer c.over.Store(true)
	defer c.end.Close() // if a Writer failed, or has called Goexit, let the command see it
	if c.in != nil {
		return c.runInput()
	}
	return c.runOutput()
}

func (c *copier) runInput() error {
	_, err := io.Copy(inputEnd{c.end, c.cut}, c.in)
	switch {
	case isHangup(err):
		err = nil // the command need not read it all (golang/go#9173)
	case c.cut.Load() && (err == errCut || c.isCut(err)):
		err = nil
	}
	if closeErr := c.end.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (c *copier) runOutput() error {
	_, err := io.Copy(c.out, c.end)
	for c.readsToEnd() && err == nil && !c.cut.Load() && !isEnd(c.end) {
		_, err = io.Copy(c.out, c.end)
	}
	if c.cut.Load() && (err == nil || c.isCut(err)) {
		err = nil
		if rest := available(c.end); len(rest) > 0 {
			var n int
			if n, err = c.out.Write(rest); err == nil && n < len(rest) {
				err = io.ErrShortWrite
			}
		}
	}
	return err
}

// isCut reports whether err is that of a read or write on the pipe which Cut has ended.
// The caller's Reader or Writer may have a deadline of its own.
func (c *copier) isCut(err error) bool {
	var pe *fs.PathError
	return isInterrupted(err) && errors.As(err, &pe) && pe.Path == c.end.Name()
}

// readsToEnd reports whether io.Copy stops only where a read says that it is at the end:
// a Writer's ReadFrom may do so before.
func (c *copier) readsToEnd() bool {
	_, own := c.out.(io.ReaderFrom)
	return !own || sinkOf(c.out) != nil
}

// An inputEnd is the pipe that a Stdin is copied to. It reads from no Reader any
// more once the copying was cut, whatever the Reader returns.
type inputEnd struct {
	*os.File
	cut *atomic.Bool
}

// ReadFrom leaves to os.File what it may have a system call for.
func (w inputEnd) ReadFrom(r io.Reader) (int64, error) {
	from := r
	if l, ok := r.(*io.LimitedReader); ok {
		from = l.R
	}
	if _, ok := from.(syscall.Conn); !ok {
		r = uncutReader{r, w.cut}
	}
	return w.File.ReadFrom(r)
}

var errCut = errors.New("xexec: the copying was cut")

type uncutReader struct {
	r   io.Reader
	cut *atomic.Bool
}

func (r uncutReader) Read(b []byte) (int, error) {
	if r.cut.Load() {
		return 0, errCut
	}
	return r.r.Read(b)
}

// forAMoment waits for do no longer than it takes where nobody else uses the descriptor.
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

// CloseEnd closes c, one of the parent's ends, and ends a Write that waits. It
// does not wait for whoever uses the descriptor through SyscallConn, but leaves that
// to a goroutine.
func CloseEnd(c io.Closer) {
	f, ok := c.(*os.File)
	if !ok {
		c.Close()
		return
	}
	closeSoon(f)
}
