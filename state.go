package xexec

import (
	"context"
	"os"
	"runtime"
	"slices"
	"sync"
	"weak"
)

// A state is what a Cmd has no room for. There is at most one for each Cmd,
// made when a method first needs it and dropped when the Cmd is collected.
//
// It never holds its Cmd strongly; only a goroutine that waits for the command
// does, and a context's registration for as long as it may have to call a
// Cancel that refers to it.
type state struct {
	// mu guards everything below, and Cmd.Process against Start: Start writes
	// the field with mu held, and the methods that may race Start read it so.
	mu sync.Mutex

	settings
	ctx    context.Context // from CommandContext; nil if there is none that is known
	pipes  []pipe          // made by StdinPipe, StdoutPipe and StderrPipe, until a run has them
	stderr *prefixSuffix   // made by Output for ExitError.Stderr, likewise
	done   chan struct{}   // made by a Done that came before the start

	childEnds []*os.File // of all pipes that were made
	claimed   bool       // Start was called
	run       *run       // the process of Cmd.Process, or an earlier one
}

// settings are what the Set methods set. A run has those of its start.
type settings struct {
	stopSignal       os.Signal // nil for the default
	wholeTree        bool
	killOnParentExit bool
}

// states maps weak.Pointer[Cmd] to *state. Only this file touches it.
//
// The key is the Cmd's identity for as long as the Cmd lives and is never equal
// to that of a later Cmd at the same address, so an entry can be late in going
// but never belong to another command.
var states sync.Map

// stateOf returns c's state.
func stateOf(c *Cmd) *state {
	key := weak.Make(c)
	if s, ok := states.Load(key); ok {
		return s.(*state)
	}
	s, loaded := states.LoadOrStore(key, new(state))
	if !loaded {
		runtime.AddCleanup(c, dropState, key)
	}
	return s.(*state)
}

func dropState(key weak.Pointer[Cmd]) { states.Delete(key) }

// current returns the run of c's process, or nil if there is none.
func (s *state) current(c *Cmd) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.currentLocked(c)
}

// currentLocked is current for a caller that holds s.mu.
//
// Cmd.Process is the truth. A process without a run of ours, or with that of
// another process, was started by somebody else (os/exec's Start, a hand-written
// one) and is adopted. A run without its process was that of another command,
// over whose struct this one was assigned.
func (s *state) currentLocked(c *Cmd) *run {
	switch p := c.Process; {
	case p == nil && s.run != nil:
		s.run, s.ctx, s.done, s.claimed = nil, nil, nil, false
	case p != nil && (s.run == nil || s.run.proc != p):
		s.run = s.adopt(c)
		s.claimed = true
	}
	return s.run
}

// claim makes the caller the one that starts c. It fails if there was one.
func (s *state) claim(c *Cmd) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.currentLocked(c) != nil || s.claimed {
		return false
	}
	s.claimed = true
	return true
}

// started publishes r as the run of c.
func (s *state) started(c *Cmd, r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Process = r.proc
	s.run = r
	s.pipes, s.stderr = nil, nil // r has them
	if s.done != nil {
		r.done = s.done
		r.waitInBackground(c)
	}
}

// startFailed releases those who wait for the command to be started.
func (s *state) startFailed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done == nil {
		s.done = make(chan struct{})
	}
	close(s.done)
}

// doneChan returns the channel that Done returns for c.
func (s *state) doneChan(c *Cmd) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.currentLocked(c); r != nil {
		r.waitInBackground(c)
		return r.done
	}
	if s.done == nil {
		s.done = make(chan struct{})
	}
	return s.done
}

// context returns the context given to CommandContext.
func (s *state) context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ctx
}

// made reports whether f is a Stdin, Stdout or Stderr that a method of the Cmd
// has made for this one command. The caller holds s.mu.
func (s *state) made(f any) bool {
	switch f := f.(type) {
	case *capture, *prefixSuffix:
		return true
	case *os.File:
		return slices.Contains(s.childEnds, f)
	}
	return false
}
