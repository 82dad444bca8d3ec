// Package stdio has the standard files of a child process: it opens them, copies
// between pipes and the caller's Readers and Writers, and ends that.
//
// It promises that what a command has written is not lost when the command is over,
// that no call here blocks on account of a user of a pipe, except the copying itself,
// and that nobody else's code is called with a lock held. Its caller guarantees that
// each Streams gets Started and Copy (and CopyHere, if Copy was told so), or Abort, and
// that a Reader's End is closed when the command is over. Cut, Over, Copied, CloseEnd and
// an End's Close may be called with the caller's locks held: they call nobody.
//
//   - Unix: pipes are in the runtime's poller. What ends a read or write is a deadline
//     in the past; for output that CopyHere copies, an eventfd. How much is in a pipe
//     FIONREAD tells.
//   - Windows: pipes block. What ends a read or write is CancelIoEx, again and again
//     until it has returned. How much is in a pipe PeekNamedPipe tells.
//   - Elsewhere (Plan 9) nothing ends a read or write, and what is in a pipe is lost
//     when the command is over, as under os/exec.
package stdio

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Streams are the standard files of one child. The zero Streams has nothing to copy. All
// methods can be called from any goroutine.
type Streams struct {
	// The child's files. Somebody else may own them, or all commands share them;
	// Started closes those in made.
	Stdin, Stdout, Stderr *os.File

	made    []*os.File  // the child's ends, ours to close
	lent    *Reader     // another command's output, as Stdin
	written io.WriterTo // a Stdin that is in the pipe already

	cut atomic.Bool // set by Cut

	// mu guards what follows.
	mu         sync.Mutex
	copiers    [3]copier   // of Stdin, Stdout and Stderr
	ended      func(error) // from Copy until all is over
	wake       func()      // makes CopyHere return, if Cut has to
	stdinTimer *time.Timer // after Cut
	stdinOver  bool        // that has expired
}

// copyGrace is how long a Stdin that was cut is waited for.
const copyGrace = 100 * time.Millisecond

// Open opens the files for a child: the null device for a nil, an *os.File as it
// is, a copy of a Reader's descriptor for a Stdin that is one, and a pipe for everything
// else: one that holds all of a small Stdin in memory, or one to be copied. Equal stdout
// and stderr share one.
func Open(stdin io.Reader, stdout, stderr io.Writer) (_ *Streams, err error) {
	s := new(Streams)
	defer func() {
		if err != nil {
			s.Abort()
		}
	}()
	if s.Stdin, err = s.input(stdin); err != nil {
		return nil, err
	}
	if s.Stdout, err = s.output(stdout, &s.copiers[1]); err != nil {
		return nil, err
	}
	if stderr != nil && same(stderr, stdout) {
		s.Stderr = s.Stdout
		return s, nil
	}
	if s.Stderr, err = s.output(stderr, &s.copiers[2]); err != nil {
		return nil, err
	}
	return s, nil
}

// same reports whether a and b are equal. Values that cannot be compared are not.
func same(a, b any) bool {
	defer func() { recover() }()
	return a == b
}

func (s *Streams) input(in io.Reader) (*os.File, error) {
	switch in := in.(type) {
	case nil:
		return openNull(os.O_RDONLY)
	case *os.File:
		return in, nil
	case *Reader:
		switch f, err := in.lend(); err {
		case nil:
			s.lent = in
			s.made = append(s.made, f)
			return f, nil
		case os.ErrClosed:
			return nil, nil // the child has none, as under os/exec
		case errEnded:
		default:
			return nil, err
		}
	}
	if b := smallInput(in); b != nil {
		if child := prewritten(b); child != nil {
			s.made = append(s.made, child)
			s.written = in.(io.WriterTo)
			return child, nil
		}
	}
	child, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.made = append(s.made, child)
	s.copiers[0] = copier{in: in, end: ours}
	return child, nil
}

func (s *Streams) output(out io.Writer, c *copier) (child *os.File, err error) {
	switch out := out.(type) {
	case nil:
		return openNull(os.O_WRONLY)
	case *os.File:
		return out, nil
	}
	if isMemory(out) {
		child, err = c.openHere()
	} else {
		c.end, child, err = os.Pipe()
	}
	if err != nil {
		return nil, err
	}
	c.out = out
	s.made = append(s.made, child)
	return child, nil
}

// Started closes the child's ends, which the child has now.
func (s *Streams) Started() {
	if s.written != nil {
		s.written.WriteTo(io.Discard) // it counts as read now
	}
	s.closeMade(true)
}

func (s *Streams) closeMade(started bool) {
	if s.lent != nil {
		s.lent.endLoan(started)
	}
	for _, f := range s.made {
		f.Close()
	}
	s.made, s.lent, s.written = nil, nil, nil
}

// Abort closes everything: there is no child. What is in the pipe of a Reader that
// was to be its Stdin is the Reader's again.
func (s *Streams) Abort() {
	s.closeMade(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.copiers {
		if c := &s.copiers[i]; !c.over() {
			c.file().Close()
			*c = copier{}
		}
	}
}

// Copy starts the goroutines that copy. Each calls ended with its error, if there is
// one, before it counts as over: that of the Reader or Writer, none for one that was cut
// or for a command that has not read all of its Stdin. ended(nil) is called whenever
// Over, Copied or OutputsCopied may have changed. No lock is held then.
//
// If here is true, output to memory is left to CopyHere. A Reader or Writer of the
// caller's is held until its copying is over.
func (s *Streams) Copy(ended func(error), here bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = ended
	for i := range s.copiers {
		if c := &s.copiers[i]; !c.over() && !(here && c.end == nil) {
			s.start(c)
		}
	}
	if s.cut.Load() {
		s.startGrace()
	}
}

// start starts a copier's goroutine. The caller holds mu.
func (s *Streams) start(c *copier) {
	c.file()
	if c.out != nil {
		c.reader = NewReader(c.end)
	}
	if s.cut.Load() {
		c.cut()
	}
	go s.run(c)
}

// run is a copier's goroutine. It tells of its end also if the Reader or Writer calls
// runtime.Goexit.
func (s *Streams) run(c *copier) {
	var err error
	defer func() { s.finish(c, err) }()
	if c.in != nil {
		defer c.end.Close()
		err = copyInput(c.end, c.in, &s.cut)
	} else {
		defer c.reader.Close() // if the Writer has failed, let the command see it
		err = copyOutput(c.out, withoutWriteTo{noWriteTo{}, c.reader})
	}
}

// finish tells that a stream is over.
func (s *Streams) finish(c *copier, err error) {
	s.mu.Lock()
	ended := s.ended
	if err != nil {
		s.mu.Unlock()
		ended(err) // who sees Over has the error
		s.mu.Lock()
	}
	*c = copier{} // another copier's goroutine may hold s for ever
	if s.inputOver() && s.outputsOver() {
		s.ended = nil
		if s.stdinTimer != nil {
			s.stdinTimer.Stop()
		}
	}
	s.mu.Unlock()
	ended(nil)
}

// Cut ends the copying: a read or write on a pipe that waits returns. What is in an
// output's pipe is still copied, at most as much as a pipe holds. Stdin's Reader is
// not called again, but a call that has begun is not ended.
func (s *Streams) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut.Swap(true) || s.ended == nil {
		return // it was cut, or Copy sees to it, or all is over
	}
	for i := range s.copiers {
		if c := &s.copiers[i]; c.end != nil {
			c.cut()
		}
	}
	if s.wake != nil {
		s.wake()
	}
	s.startGrace()
}

// startGrace starts the time that Stdin has after Cut. The caller holds mu.
func (s *Streams) startGrace() {
	if s.inputOver() {
		return
	}
	s.stdinTimer = time.AfterFunc(copyGrace, func() {
		s.mu.Lock()
		s.stdinOver = true
		ended := s.ended
		s.mu.Unlock()
		if ended != nil {
			ended(nil)
		}
	})
}

// Over reports whether nothing is to be waited for: all is copied, or the copying
// was cut, the outputs are copied, and Stdin has had its time.
func (s *Streams) Over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outputsOver() && (s.inputOver() || s.stdinOver)
}

// Copied reports whether all is copied: no goroutine runs.
func (s *Streams) Copied() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outputsOver() && s.inputOver()
}

// OutputsCopied reports whether Stdout and Stderr are copied.
func (s *Streams) OutputsCopied() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outputsOver()
}

func (s *Streams) inputOver() bool { return s.copiers[0].over() }

func (s *Streams) outputsOver() bool { return s.copiers[1].over() && s.copiers[2].over() }
