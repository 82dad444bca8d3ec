package xexec

import (
	"io"
	"strconv"
	"syscall"
)

// A capture collects output for Output and CombinedOutput.
//
// It starts like a bytes.Buffer. What turns out to be large is read through a
// larger pipe into chunks, which are joined once, at the end: nothing is copied
// twice, and since a chunk is given back as soon as it is joined, it takes
// hardly more memory than the output itself, where the heap is not needed for it.
type capture struct {
	small  []byte   // the first bytes, less than largeOutput
	chunks [][]byte // the others; all chunks but the last are full
	size   int
}

const (
	largeOutput = 1 << 20
	chunkSize   = 4 << 20
	minRead     = 512
)

func (c *capture) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := copy(c.room(), rest)
		c.extend(n)
		rest = rest[n:]
	}
	return len(p), nil
}

// ReadFrom reads from the command's pipe.
func (c *capture) ReadFrom(r io.Reader) (read int64, err error) {
	for enlarged := false; ; {
		if !enlarged && c.chunks != nil {
			if pipe, ok := r.(syscall.Conn); ok {
				enlargePipe(pipe)
			}
			enlarged = true
		}
		n, err := r.Read(c.room())
		c.extend(n)
		read += int64(n)
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
func (c *capture) room() []byte {
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
	chunk := newChunk(chunkSize)
	c.chunks = append(c.chunks, chunk[:0])
	return chunk
}

// extend adds the first n bytes of what room returned.
func (c *capture) extend(n int) {
	c.size += n
	if last := len(c.chunks) - 1; last >= 0 {
		c.chunks[last] = c.chunks[last][:len(c.chunks[last])+n]
	} else {
		c.small = c.small[:len(c.small)+n]
	}
}

// take returns what was collected and forgets it.
func (c *capture) take() []byte {
	out := c.small
	if c.chunks != nil {
		out = append(make([]byte, 0, c.size), c.small...)
		for i, chunk := range c.chunks {
			out = append(out, chunk...)
			c.chunks[i] = nil
			freeChunk(chunk[:chunkSize])
		}
	}
	*c = capture{}
	return out
}

// A prefixSuffix keeps the first and the last keep bytes written to it.
type prefixSuffix struct {
	prefix  []byte
	suffix  []byte // a ring, once it is full
	next    int    // where in the ring the oldest byte is
	skipped int64
}

const keep = 32 << 10

func (s *prefixSuffix) Write(p []byte) (int, error) {
	n := len(p)
	p = fill(&s.prefix, p)
	if over := len(p) - keep; over > 0 {
		s.skipped += int64(over)
		p = p[over:]
	}
	p = fill(&s.suffix, p)
	for len(p) > 0 {
		m := copy(s.suffix[s.next:], p)
		s.next = (s.next + m) % keep
		s.skipped += int64(m)
		p = p[m:]
	}
	return n, nil
}

// ReadFrom spares the command that writes no error output a large buffer.
func (s *prefixSuffix) ReadFrom(r io.Reader) (read int64, err error) {
	for b := make([]byte, minRead); ; {
		n, err := r.Read(b)
		s.Write(b[:n])
		read += int64(n)
		switch {
		case err == io.EOF:
			return read, nil
		case err != nil:
			return read, err
		case n == len(b) && n < keep:
			b = make([]byte, keep)
		}
	}
}

// fill appends to dst what it still has room for, and returns the rest.
func fill(dst *[]byte, p []byte) []byte {
	n := min(len(p), keep-len(*dst))
	*dst = append(*dst, p[:n]...)
	return p[n:]
}

// Bytes returns what was kept, with a note where something was left out.
func (s *prefixSuffix) Bytes() []byte {
	if s.skipped == 0 {
		return append(s.prefix, s.suffix...)
	}
	b := append(s.prefix, "\n... omitting "...)
	b = strconv.AppendInt(b, s.skipped, 10)
	b = append(b, " bytes ...\n"...)
	b = append(b, s.suffix[s.next:]...)
	return append(b, s.suffix[:s.next]...)
}
