package stdio

import (
	"errors"
	"io"
	"sync"
)

// ErrLimit is what a Capture's Write and ReadFrom return when more came than it
// keeps.
var ErrLimit = errors.New("xexec: output limit")

// A Capture collects output for Output and CombinedOutput. It reads into pieces
// that are joined once, in Take, in a slice of the right size: nothing grows and is
// copied again. Pieces are used again, large ones are given back to the system as
// soon as they are joined.
type Capture struct {
	limit  int64 // 0 is none
	exceed func()
	pieces [][]byte // all but the last are full, but for less than a packet
	size   int
}

const (
	// A read from a pipe of packets (O_DIRECT, pipe(2)) takes one, and loses of that
	// what it has no room for.
	packet     = 4 << 10 // PIPE_BUF: no packet is larger
	firstPiece = 32 << 10
	nextPiece  = 256 << 10
	hugePiece  = 4 << 20 // once there is as much
)

var firstPieces = sync.Pool{New: func() any { return new([firstPiece]byte) }}
var nextPieces = sync.Pool{New: func() any { return new([nextPiece]byte) }}

// NewCapture returns a Capture that keeps the first limit bytes, or all if limit is
// 0. It calls exceed once, with no lock held, when more have come.
func NewCapture(limit int64, exceed func()) *Capture { return &Capture{limit: limit, exceed: exceed} }

// Write keeps p.
func (c *Capture) Write(p []byte) (int, error) {
	before := c.size
	for rest := p; len(rest) > 0; {
		n := copy(c.room(), rest)
		if err := c.extend(n); err != nil {
			return c.size - before, err
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// ReadFrom reads from the command's pipe.
func (c *Capture) ReadFrom(r io.Reader) (read int64, err error) {
	for err == nil {
		had := len(c.pieces)
		room := c.room()
		if had == 1 && len(c.pieces) == 2 {
			enlargePipe(r) // there is much to come
		}
		var n int
		n, err = r.Read(room)
		read += int64(n)
		if full := c.extend(n); full != nil {
			return read, full
		}
	}
	if err == io.EOF {
		err = nil
	}
	return read, err
}

// room returns memory for the next bytes, for a packet at least.
func (c *Capture) room() []byte {
	if last := len(c.pieces) - 1; last >= 0 {
		if p := c.pieces[last]; cap(p)-len(p) >= packet {
			return p[len(p):cap(p)]
		}
	}
	var p []byte
	switch {
	case c.size == 0:
		p = firstPieces.Get().(*[firstPiece]byte)[:]
	case c.size < hugePiece:
		p = nextPieces.Get().(*[nextPiece]byte)[:]
	default:
		p = newHuge()
	}
	c.pieces = append(c.pieces, p[:0])
	return p
}

// extend keeps the first n bytes of what room returned.
func (c *Capture) extend(n int) (err error) {
	if left := c.limit - int64(c.size); c.limit > 0 && int64(n) > left {
		n, err = int(left), ErrLimit
	}
	if n > 0 {
		c.size += n
		last := &c.pieces[len(c.pieces)-1]
		*last = (*last)[:len(*last)+n]
	}
	if err != nil && c.exceed != nil {
		c.exceed()
		c.exceed = nil
	}
	return err
}

// Take returns what was collected and forgets it. It is nil if nothing was ever
// written or read.
func (c *Capture) Take() []byte {
	if c.pieces == nil {
		return nil
	}
	out := newResult(c.size)
	for i, p := range c.pieces {
		out = append(out, p...)
		c.pieces[i] = nil
		switch p = p[:cap(p)]; len(p) {
		case firstPiece:
			firstPieces.Put((*[firstPiece]byte)(p))
		case nextPiece:
			nextPieces.Put((*[nextPiece]byte)(p))
		default:
			freeHuge(p)
		}
	}
	c.pieces, c.size = nil, 0
	return out
}
