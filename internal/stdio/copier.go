package stdio

import (
	"bytes"
	"cmp"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
)

// A copier copies one stream between a pipe and the caller's Reader or Writer. The zero
// copier has nothing to copy, or is over.
type copier struct {
	in  io.Reader // a Stdin, or
	out io.Writer // a Stdout or Stderr

	end    *os.File // ours, of the pipe
	fd     int      // the same, while no file was made for it: CopyHere needs none
	reader *Reader  // of end, in the goroutine of an output
}

func (c *copier) over() bool { return c.in == nil && c.out == nil }

// file returns our end of the pipe as a file.
func (c *copier) file() *os.File {
	if c.end == nil {
		c.end = newEnd(c.fd)
	}
	return c.end
}

// cut ends the use of the pipe. What is in that of an output is still read.
func (c *copier) cut() {
	if c.reader != nil {
		c.reader.End().Close()
	} else {
		interrupt(c.end)
	}
}

// isMemory reports whether out is memory of which nobody else hears of a Write: nobody
// is waited for.
func isMemory(out io.Writer) bool {
	switch out := out.(type) {
	case *Capture, *PrefixSuffix:
		return true
	case *bytes.Buffer:
		return out != nil
	case *strings.Builder:
		return out != nil
	}
	return out == io.Discard
}

// copyOutput is io.Copy, with memory that is used again where the Writer does not keep it.
func copyOutput(out io.Writer, r io.Reader) error {
	var b []byte
	switch out.(type) {
	case *PrefixSuffix, *strings.Builder:
		piece := firstPieces.Get().(*[firstPiece]byte)
		defer firstPieces.Put(piece)
		b = piece[:]
	}
	_, err := io.CopyBuffer(out, r, b)
	return err
}

// copyInput copies a Stdin, and closes the pipe.
func copyInput(end *os.File, in io.Reader, cut *atomic.Bool) error {
	_, err := io.Copy(inputEnd{end, cut}, in)
	if isHangup(err) || cut.Load() && isInterrupted(err) {
		err = nil // the command need not read it all (golang/go#9173)
	}
	return cmp.Or(err, end.Close())
}

// isHangup reports whether err says that nobody reads the command's Stdin.
func isHangup(err error) bool {
	pe, ok := err.(*fs.PathError)
	return ok && pe.Op == "write" && pe.Path == "|1" && isHungUp(pe.Err)
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

// An uncutReader is at its end once the copying was cut.
type uncutReader struct {
	io.Reader
	cut *atomic.Bool
}

func (r uncutReader) Read(b []byte) (int, error) {
	if r.cut.Load() {
		return 0, io.EOF
	}
	return r.Reader.Read(b)
}

// smallInput returns what in holds, if in is memory and so little that a pipe should
// hold it, or nil. It reads from a copy of in.
func smallInput(in io.Reader) []byte {
	const small = 64 << 10
	var copied interface {
		io.Reader
		Len() int
	}
	switch in := in.(type) {
	case *bytes.Buffer:
		copied = bytes.NewBuffer(in.Bytes())
	case *bytes.Reader:
		c := *in
		copied = &c
	case *strings.Reader:
		c := *in
		copied = &c
	default:
		return nil
	}
	if copied.Len() > small {
		return nil
	}
	b := make([]byte, copied.Len())
	copied.Read(b)
	return b
}
