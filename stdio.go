package xexec

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// childFiles are the files that a start opens, or that were opened for it.
type childFiles struct {
	child  []*os.File  // the child's ends, closed once it has been started
	parent []io.Closer // the parent's, closed if it could not be
	lent   *pipeReader // another command's output, given on as Stdin
	io     *copying    // what is to be copied, nil if nothing
}

func (f *childFiles) close(failed bool) {
	if f.lent != nil {
		f.lent.endLoan(failed)
	}
	for _, c := range f.child {
		c.Close()
	}
	if failed {
		for _, p := range f.parent {
			p.Close()
		}
	}
}

// addPipe takes charge of a pipe that StdinPipe, StdoutPipe or StderrPipe made.
func (f *childFiles) addPipe(p pipe) {
	f.child = append(f.child, p.child)
	f.parent = append(f.parent, p.parent)
}

// open replaces in's Stdin, Stdout and Stderr by files.
func (f *childFiles) open(in *exec.Cmd) error {
	stdin, err := f.reader(in.Stdin)
	if err != nil {
		return err
	}
	stdout, err := f.writer(in.Stdout)
	if err != nil {
		return err
	}
	stderr := stdout
	if in.Stderr == nil || !same(in.Stderr, in.Stdout) {
		if stderr, err = f.writer(in.Stderr); err != nil {
			return err
		}
	}
	in.Stdin, in.Stdout, in.Stderr = stdin, stdout, stderr
	return nil
}

// copy adds something to be copied.
func (f *childFiles) copy(end *os.File, output bool, fn func() error) {
	if f.io == nil {
		f.io = &copying{written: make(chan struct{}), all: make(chan struct{})}
	}
	f.io.add(end, output, fn)
}

// same reports whether a and b are equal. Values that cannot be compared are not.
func same(a, b any) bool {
	defer func() { recover() }()
	return a == b
}

// reader returns the child's end for a Stdin.
func (f *childFiles) reader(in io.Reader) (*os.File, error) {
	switch in := in.(type) {
	case nil:
		return null.open(os.O_RDONLY)
	case *os.File:
		return in, nil
	case *pipeReader:
		if f.lent == nil && in.lend() {
			f.lent = in
			return in.file, nil
		}
		if in.isClosed() {
			return in.file, nil // as it would be under os/exec
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	f.child = append(f.child, r)
	f.parent = append(f.parent, w)
	f.copy(w, false, func() error {
		_, err := io.Copy(w, in)
		if isHangup(err) {
			err = nil // the command need not read it all (golang/go#9173)
		}
		if closeErr := w.Close(); err == nil {
			err = closeErr
		}
		return err
	})
	return r, nil
}

// writer returns the child's end for a Stdout or Stderr.
func (f *childFiles) writer(out io.Writer) (*os.File, error) {
	switch out := out.(type) {
	case nil:
		return null.open(os.O_WRONLY)
	case *os.File:
		return out, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	f.child = append(f.child, w)
	f.parent = append(f.parent, r)
	f.copy(r, true, func() error {
		_, err := io.Copy(out, r)
		r.Close() // if the writer failed, let the command see it
		return err
	})
	return w, nil
}

// null is the pair of null device descriptors that all commands share. They are
// opened when first needed and stay open.
var null nullDevice

type nullDevice struct {
	mu   sync.Mutex
	r, w *os.File
}

func (n *nullDevice) open(flag int) (*os.File, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := &n.r
	if flag == os.O_WRONLY {
		f = &n.w
	}
	if *f == nil {
		opened, err := os.OpenFile(os.DevNull, flag, 0)
		if err != nil {
			return nil, err
		}
		*f = opened
	}
	return *f, nil
}

// copyGrace is how long Wait and Shutdown let copying end by itself after they
// have cut it off or have killed the command. It matters only when that is kept
// up: by a Stdin reader that does not return, by a descendant that holds the
// output open.
const copyGrace = 100 * time.Millisecond

// A copying is the goroutines that copy a command's standard I/O. Its methods
// can be called on a nil one, which has nothing to copy.
type copying struct {
	written chan struct{} // closed when the output is copied
	all     chan struct{} // closed when the input is, too

	mu       sync.Mutex
	streams  int       // of Stdin, Stdout and Stderr
	todo     [3]func() // the goroutines to be started
	ends     [3]*os.File
	outputs  int       // running, or to be started, with a Stdout or Stderr
	running  int       // in all
	err      error     // the first
	deadline time.Time // if set, when to cut it off
	cut      bool      // that has been done
	grace    time.Time // and until when the Stdin reader is waited for
}

// add adds a goroutine that runs fn, which uses the parent's end of a pipe.
func (c *copying) add(end *os.File, output bool, fn func() error) {
	c.running++
	if output {
		c.outputs++
	}
	c.ends[c.streams] = end
	c.todo[c.streams] = func() {
		err := fn()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err == nil {
			c.err = err
		}
		if output {
			if c.outputs--; c.outputs == 0 {
				close(c.written)
			}
		}
		if c.running--; c.running == 0 {
			close(c.all)
			clear(c.ends[:])
		}
	}
	c.streams++
}

func (c *copying) start() {
	if c == nil {
		return
	}
	c.mu.Lock()
	todo := c.todo
	clear(c.todo[:])
	c.mu.Unlock()
	for _, f := range todo[:c.streams] {
		go f()
	}
}

// finished reports whether there is nothing to copy any more.
func (c *copying) finished() bool {
	if c == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running == 0
}

// over reports whether nothing is to be waited for: all is copied, or it was cut
// off and there is nobody left but a Stdin reader that does not return. (An
// output is always waited for: nobody shall write to the caller's writer after
// Wait.)
func (c *copying) over() bool {
	if c == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.cut && !c.deadline.IsZero() && c.running > 0 && !time.Now().Before(c.deadline) {
		c.cutOff()
	}
	return c.running == 0 || c.cut && c.outputs == 0 && !time.Now().Before(c.grace)
}

// limit sets when the copying is to be cut off, unless that is set already.
func (c *copying) limit(deadline time.Time) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deadline.IsZero() {
		c.deadline = deadline
	}
}

// expire cuts the copying off now.
func (c *copying) expire() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running > 0 && !c.cut {
		c.cutOff()
	}
}

func (c *copying) cutOff() {
	c.cut = true
	c.grace = time.Now().Add(copyGrace)
	for _, f := range c.ends[:c.streams] {
		f.Close()
	}
}

// wake returns the channels that tell, beside all, that over may have changed.
// After use, stop is to be called.
func (c *copying) wake() (written <-chan struct{}, timeout <-chan time.Time, stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.deadline
	switch {
	case c.cut && c.outputs > 0:
		return c.written, nil, func() bool { return true }
	case c.cut:
		at = c.grace
	case at.IsZero():
		return nil, nil, func() bool { return true }
	}
	timer := time.NewTimer(time.Until(at))
	return nil, timer.C, timer.Stop
}

// error returns what Wait reports of a copying that is over.
func (c *copying) error() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return ErrWaitDelay
	}
	return c.err
}

// reusable reports whether os/exec's failed Start has left in's files open, so
// that it can be tried again. It closes those of pipes that it made itself.
func reusable(in *exec.Cmd) bool {
	for _, f := range []any{in.Stdin, in.Stdout, in.Stderr} {
		if f, ok := f.(*os.File); ok {
			if _, err := f.Stat(); errors.Is(err, os.ErrClosed) {
				return false
			}
		}
	}
	return true
}
