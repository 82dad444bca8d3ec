// Package stdio has the standard files of a child process: it opens them, copies
// between pipes and the caller's Readers and Writers, and ends that.
//
// It promises that what a command has written is not lost when the command is over,
// that no call here blocks on account of a user of a pipe, except the copying itself,
// and that nobody else's code is called with a lock held. Its caller guarantees that
// each Streams gets Started and Copy (and CopyHere, after OpenHere), or Abort, and that
// a Reader's End is closed when the command is over. Cut, Over, CloseEnd and an End's
// Close may be called with the caller's locks held: they call nobody.
//
//   - Unix: pipes are in the runtime's poller. What ends a read or write is a deadline
//     in the past. How much is in a pipe FIONREAD tells.
//   - Windows: pipes block. What ends a read or write is CancelIoEx, again and again
//     until it has returned. How much is in a pipe PeekNamedPipe tells.
//   - Elsewhere (Plan 9) nothing ends a read or write, and what is in a pipe is lost
//     when the command is over, as under os/exec.
package stdio

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Streams are the standard files of one child. All methods can be called on a nil
// one, and from any goroutine.
type Streams struct {
	// The child's files. Somebody else may own them; Started closes those that
	// Open has made.
	Stdin, Stdout, Stderr *os.File

	made    []*os.File  // the child's ends, ours to close
	lent    *Reader     // another command's output, as Stdin
	written io.WriterTo // a Stdin that is in the pipe already

	atCaller bool // CopyHere will be called

	cut atomic.Bool // set by Cut

	// mu guards what follows.
	mu        sync.Mutex
	here      here        // what CopyHere copies
	copiers   []*copier   // what Copy starts
	ends      []end       // for Cut
	running   int         // streams that are not over
	outputs   int         // those of Stdout and Stderr
	ended     func(error) // from Copy until all is over
	grace     *time.Timer // after Cut, for Stdin
	graceOver bool
}

// An end is a pipe's end that a copier uses.
type end struct {
	*os.File
	over func() bool
}

// copyGrace is how long a Stdin that was cut is waited for.
const copyGrace = 100 * time.Millisecond

// Open opens the files for a child: the null device for a nil, an *os.File as it
// is, a copy of a Reader's descriptor for a Stdin that is one, and a pipe for
// everything else, to be copied. Equal stdout and stderr share one.
func Open(stdin io.Reader, stdout, stderr io.Writer) (*Streams, error) {
	return open(false, stdin, stdout, stderr)
}

// OpenHere is Open for a caller that waits for the process where it has started it, and
// calls CopyHere after Copy.
func OpenHere(stdin io.Reader, stdout, stderr io.Writer) (*Streams, error) {
	return open(true, stdin, stdout, stderr)
}

func open(atCaller bool, stdin io.Reader, stdout, stderr io.Writer) (_ *Streams, err error) {
	s := &Streams{atCaller: atCaller}
	defer func() {
		if err != nil {
			s.Abort()
		}
	}()
	if s.Stdin, err = s.input(stdin); err != nil {
		return nil, err
	}
	if s.Stdout, err = s.output(stdout); err != nil {
		return nil, err
	}
	if stderr != nil && same(stderr, stdout) {
		s.Stderr = s.Stdout
		return s, nil
	}
	if s.Stderr, err = s.output(stderr); err != nil {
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
		return null.open(os.O_RDONLY)
	case *os.File:
		return in, nil
	case *Reader:
		switch f, err := in.lend(); err {
		case nil:
			s.lent = in
			s.made = append(s.made, f)
			return f, nil
		case os.ErrClosed:
			return in.file, nil // the child has none, as under os/exec
		case errEnded:
		default:
			return nil, err
		}
	}
	if b, ok := smallInput(in); ok {
		if child := prewritten(b); child != nil {
			s.made = append(s.made, child)
			s.written = in.(io.WriterTo)
			return child, nil
		}
	}
	_, sees := in.(io.WriterTo)
	ours, child, err := newPipe(true, !sees)
	if err != nil {
		return nil, err
	}
	s.made = append(s.made, child)
	s.add(&copier{end: ours, in: in, cut: &s.cut})
	return child, nil
}

// smallInput returns what in holds, if in is memory and so little that a pipe should
// hold it. It reads nothing.
func smallInput(in io.Reader) (b []byte, ok bool) {
	const small = 64 << 10
	type reader interface {
		io.ReaderAt
		Len() int
		Size() int64
	}
	var r reader
	switch in := in.(type) {
	case *bytes.Buffer:
		if in == nil || in.Len() > small {
			return nil, false
		}
		return in.Bytes(), true
	case *bytes.Reader:
		if in == nil {
			return nil, false
		}
		r = in
	case *strings.Reader:
		if in == nil {
			return nil, false
		}
		r = in
	default:
		return nil, false
	}
	n := r.Len()
	if n > small {
		return nil, false
	}
	b = make([]byte, n)
	r.ReadAt(b, r.Size()-int64(n))
	return b, true
}

func (s *Streams) output(out io.Writer) (*os.File, error) {
	switch out := out.(type) {
	case nil:
		return null.open(os.O_WRONLY)
	case *os.File:
		return out, nil
	}
	if s.atCaller {
		if child, ok, err := s.openHere(out); ok || err != nil {
			return child, err
		}
	}
	_, sees := out.(io.ReaderFrom)
	ours, child, err := newPipe(false, !sees || sinkOf(out) != nil)
	if err != nil {
		return nil, err
	}
	s.made = append(s.made, child)
	s.outputs++
	s.add(&copier{end: ours, out: out, cut: &s.cut})
	return child, nil
}

// osPipe returns our end and the child's of a new pipe.
func osPipe(input bool) (ours, child *os.File, err error) {
	r, w, err := os.Pipe()
	if input {
		return w, r, err
	}
	return r, w, err
}

func (s *Streams) add(c *copier) {
	s.running++
	s.copiers = append(s.copiers, c)
	s.ends = append(s.ends, end{c.end, c.over.Load})
}

// Started closes the child's ends, which the child has now.
func (s *Streams) Started() {
	s.closeMade(true)
	if s != nil && s.written != nil {
		s.written.WriteTo(io.Discard) // it counts as read now
		s.written = nil
	}
}

func (s *Streams) closeMade(started bool) {
	if s == nil {
		return
	}
	if s.lent != nil {
		s.lent.endLoan(started)
		s.lent = nil
	}
	for _, f := range s.made {
		f.Close()
	}
	s.made = nil
}

// Abort closes everything: there is no child. What is in the pipe of a Reader that
// was to be its Stdin is the Reader's again.
func (s *Streams) Abort() {
	if s == nil {
		return
	}
	s.closeMade(false)
	s.mu.Lock()
	ends := s.ends
	s.copiers, s.ends, s.running, s.outputs = nil, nil, 0, 0
	s.abortHere()
	s.mu.Unlock()
	for _, e := range ends {
		e.Close()
	}
}

// Copy starts the goroutines that copy. Each calls ended with its error, if there is
// one, before it counts as over: that of the Reader or Writer, none for one that was cut
// or for a command that has not read all of its Stdin. ended(nil) is called whenever
// Over, Copied or OutputsCopied may have changed. No lock is held then.
//
// From here on only the goroutines hold the caller's Readers and Writers.
func (s *Streams) Copy(ended func(error)) {
	if s == nil {
		return
	}
	s.mu.Lock()
	copiers := s.copiers
	s.copiers, s.ended = nil, ended
	var idle []hereStream
	if s.cut.Load() {
		s.startGrace()
		idle = s.cutHere()
	}
	s.mu.Unlock()
	s.handOver(idle)
	for _, c := range copiers {
		go s.run(c)
	}
}

// run is a copier's goroutine. It tells of its end also if the Reader or Writer calls
// runtime.Goexit.
func (s *Streams) run(c *copier) {
	var err error
	output := c.out != nil
	defer func() {
		c.in, c.out = nil, nil // another copier, which may stay for ever, holds s
		s.over(output, err)
	}()
	err = c.run()
}

// over counts a stream that is over, and tells.
func (s *Streams) over(output bool, err error) {
	s.mu.Lock()
	ended := s.ended
	if err != nil {
		s.mu.Unlock()
		ended(err) // who sees Over has the error
		s.mu.Lock()
	}
	s.running--
	if output {
		s.outputs--
	}
	if s.running == 0 {
		s.ends, s.ended = nil, nil
		if s.grace != nil {
			s.grace.Stop()
		}
	}
	s.mu.Unlock()
	ended(nil)
}

// Cut ends the copying: a read or write on a pipe that waits returns. What is in an
// output's pipe is still copied, at most as much as a pipe holds. Stdin's Reader is
// not called again, but a call that has begun is not ended.
func (s *Streams) Cut() {
	if s == nil || s.cut.Swap(true) {
		return
	}
	s.mu.Lock()
	for _, e := range s.ends {
		interrupt(e.File, e.over)
	}
	idle := s.cutHere()
	if s.ended != nil {
		s.startGrace()
	}
	s.mu.Unlock()
	s.handOver(idle)
}

// startGrace starts the time that Stdin has after Cut. The caller holds mu.
func (s *Streams) startGrace() {
	if s.running == 0 || s.grace != nil {
		return
	}
	s.grace = time.AfterFunc(copyGrace, func() {
		s.mu.Lock()
		s.graceOver = true
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
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running == 0 || s.outputs == 0 && s.graceOver
}

// Copied reports whether all is copied: no goroutine runs.
func (s *Streams) Copied() bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running == 0
}

// OutputsCopied reports whether Stdout and Stderr are copied.
func (s *Streams) OutputsCopied() bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outputs == 0
}
