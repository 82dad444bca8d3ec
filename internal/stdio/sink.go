package stdio

import (
	"bytes"
	"io"
	"strings"
)

// A sink is memory that output is read into: nobody is waited for.
type sink interface {
	room() []byte       // memory for the next bytes
	extend(n int) error // keeps the first n bytes of what room has returned
}

// A read from a pipe of packets (O_DIRECT, pipe(2)) takes one, and loses of that what
// it has no room for. So the room is never less than under os/exec.
const (
	minRead   = 512     // bytes.MinRead
	packet    = 4 << 10 // PIPE_BUF: no packet is larger
	largeRead = 32 << 10
)

// sinkOf returns out as a sink, or nil if it may be anything.
func sinkOf(out io.Writer) sink {
	switch out := out.(type) {
	case *Capture:
		return out
	case *PrefixSuffix:
		return out
	case *bytes.Buffer:
		if out != nil {
			return bufferSink{out}
		}
	case *strings.Builder:
		if out != nil {
			return &writerSink{w: out}
		}
	}
	if out == io.Discard {
		return &writerSink{w: out}
	}
	return nil
}

type bufferSink struct{ *bytes.Buffer }

func (s bufferSink) room() []byte {
	s.Grow(minRead)
	b := s.AvailableBuffer()
	return b[:cap(b)]
}

func (s bufferSink) extend(n int) error {
	s.Write(s.AvailableBuffer()[:n]) // to where it is
	return nil
}

// A writerSink writes to a Writer that cannot block or fail.
type writerSink struct {
	w io.Writer
	scratch
}

func (s *writerSink) extend(n int) error {
	s.w.Write(s.filled(n))
	return nil
}

// A scratch is memory to read into that is used again. It is small at first: most
// commands write little to most of their outputs.
type scratch struct{ b []byte }

func (s *scratch) room() []byte {
	if s.b == nil {
		s.b = make([]byte, packet)
	}
	return s.b
}

// filled returns the first n bytes.
func (s *scratch) filled(n int) []byte {
	b := s.b[:n]
	if n == len(s.b) && n < largeRead {
		s.b = make([]byte, largeRead)
	}
	return b
}

// fillSink reads from r until the end. It calls before before each read.
func fillSink(s sink, r io.Reader, before func()) (read int64, err error) {
	for {
		before()
		n, err := r.Read(s.room())
		read += int64(n)
		switch full := s.extend(n); {
		case full != nil:
			return read, full
		case err == io.EOF:
			return read, nil
		case err != nil:
			return read, err
		}
	}
}
