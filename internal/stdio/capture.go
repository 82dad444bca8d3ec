package stdio

import (
	"errors"
	"io"
	"syscall"
)

// ErrLimit is what a Capture's Write and ReadFrom return when more came than it
// keeps.
var ErrLimit = errors.New("xexec: output limit")

// A Capture collects output for Output and CombinedOutput.
//
// It starts like a bytes.Buffer. What turns out to be large is read through a
// larger pipe into chunks, which are joined once, at the end: nothing is copied
// twice.
type Capture struct {
	limit  int64 // 0 is none
	over   func()
	small  []byte   // the first bytes, less than largeOutput
	chunks [][]byte // the others; all chunks but the last are full
	size   int
}

const (
	largeOutput = 64 << 10
	chunkSize   = 256 << 10
	minRead     = 512
)

// NewCapture returns a Capture that keeps the first limit bytes, or all if limit is
// 0. It calls over once, with no lock held, when more have come.
func NewCapture(limit int64, over func()) *Capture { return &Capture{limit: limit, over: over} }

// Write keeps p.
func (c *Capture) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := copy(c.room(), rest)
		if err := c.extend(n); err != nil {
			return len(p) - len(rest), err
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// ReadFrom reads from the command's pipe.
func (c *Capture) ReadFrom(r io.Reader) (read int64, err error) {
	for enlarged := false; ; {
		if !enlarged && c.chunks != nil {
			if pipe, ok := r.(syscall.Conn); ok {
				enlargePipe(pipe)
			}
			enlarged = true
		}
		n, err := r.Read(c.room())
		read += int64(n)
		if limit := c.extend(n); limit != nil {
			return read, limit
		}
		switch err {
		case nil:
		case io.EOF:
			return read, nil
		default:
			return read, err
		}
	}
}

// room returns memory for the next bytes, never none.
func (c *Capture) room() []byte {
	if last := len(c.chunks) - 1; last >= 0 {
		if free := c.chunks[last][len(c.chunks[last]):chunkSize]; len(free) > 0 {
			return free
		}
	} else if len(c.small) < largeOutput-minRead {
		if len(c.small) > cap(c.small)-minRead {
			grown := make([]byte, len(c.small), min(2*cap(c.small)+minRead, largeOutput))
			copy(grown, c.small)
			c.small = grown
		}
		return c.small[len(c.small):cap(c.small)]
	}
	chunk := make([]byte, chunkSize)
	c.chunks = append(c.chunks, chunk[:0])
	return chunk
}

// extend keeps the first n bytes of what room returned.
func (c *Capture) extend(n int) (err error) {
	if left := c.limit - int64(c.size); c.limit > 0 && int64(n) > left {
		n, err = int(left), ErrLimit
	}
	c.size += n
	if last := len(c.chunks) - 1; last >= 0 {
		c.chunks[last] = c.chunks[last][:len(c.chunks[last])+n]
	} else {
		c.small = c.small[:len(c.small)+n]
	}
	if err != nil && c.over != nil {
		c.over()
		c.over = nil
	}
	return err
}

// Take returns what was collected and forgets it.
func (c *Capture) Take() []byte {
	out := c.small
	if c.chunks != nil {
		out = append(make([]byte, 0, c.size), c.small...)
		for i, chunk := range c.chunks {
			out = append(out, chunk...)
			c.chunks[i] = nil
		}
	}
	c.small, c.chunks, c.size = nil, nil, 0
	return out
}
