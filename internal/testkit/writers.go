package testkit

import (
	"strings"
	"sync"
)

// A ReadyWriter collects what a command writes, and tells of the first write.
type ReadyWriter struct {
	mu    sync.Mutex
	data  []byte
	Ready chan struct{}
	once  sync.Once
}

func NewReadyWriter() *ReadyWriter { return &ReadyWriter{Ready: make(chan struct{})} }

func (w *ReadyWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	w.data = append(w.data, b...)
	w.mu.Unlock()
	w.once.Do(func() { close(w.Ready) })
	return len(b), nil
}

func (w *ReadyWriter) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.data)
}

// A FailingWriter takes so much, then fails.
type FailingWriter struct {
	Room int
	Got  []byte
}

func (w *FailingWriter) Write(b []byte) (int, error) {
	n := min(w.Room, len(b))
	w.Got, w.Room = append(w.Got, b[:n]...), w.Room-n
	if n < len(b) {
		return n, ErrBroken
	}
	return n, nil
}

// Bulk is more than pipes and the captured error output hold.
var Bulk = strings.Repeat("0123456789abcdef", 6000)
