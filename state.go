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
// Nothing that the map leads to holds the Cmd, or else it would stay for ever:
// not the state, and of what the caller has given only the errors that make up
// the result. A goroutine that waits for the command may hold it, and a
// context's registration for as long as it may have to call a Cancel that refers
// to it.
type state struct {
	// mu guards everything below, and Cmd.Process against Start: Start writes
	// the field with mu held, and the methods that may race Start read it so.
	mu sync.Mutex

	settings
	ctx    weak.Pointer[heldContext] // CommandContext's; see context
	pipes  []pipe                    // made by StdinPipe, StdoutPipe and StderrPipe, until a run has them
	stderr *prefixSuffix             // made by Output for ExitError.Stderr, likewise
	done   chan struct{}             // made by a Done that came before the start

	childEnds []*os.File // of all pipes that were made
	claimed   bool       // Start was called
	failed    bool       // and failed
	args      []string   // Args then
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

// A heldContext is the context of a Cmd that CommandContext made. The struct
// holds it, in the place of the context itself, and the state holds it weakly:
// a context can lead back to the Cmd by its values.
type heldContext struct{ context.Context }

// context returns the context that was given to CommandContext, or nil if there
// is none, or none that we can name. The caller holds s.mu.
func (s *state) context(c *Cmd) context.Context {
	if held := s.ctx.Value(); held != nil && holdsContext(c.Std(), held) {
		return held.Context
	}
	return nil
}

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
		s.reset()
	case p != nil && (s.run == nil || s.run.proc != p):
		s.run = s.adopt(c)
		s.claimed = true
	}
	return s.run
}

// reset forgets the command over whose struct another one was assigned.
func (s *state) reset() {
	s.settings, s.pipes, s.stderr, s.done, s.childEnds = settings{}, nil, nil, nil, nil
	s.claimed, s.failed, s.args, s.run = false, false, nil, nil
}

// prepare calls f, which changes the state of a command that is not started yet.
func (s *state) prepare(c *Cmd, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.currentLocked(c)
	if s.failed && !sameSlice(s.args, c.Args) {
		s.reset() // another struct was assigned over the one that could not be started
	}
	f()
}

// claim makes the caller the one that starts c. It fails if there was one.
func (s *state) claim(c *Cmd) (ok bool) {
	s.prepare(c, func() {
		ok = s.run == nil && !s.claimed
		s.claimed = true
	})
	return ok
}

// started publishes r as the run of c.
func (s *state) started(c *Cmd, r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Process, c.ProcessState = r.proc, nil
	s.run = r
	s.pipes, s.stderr = nil, nil // r has them
	s.serveDone(c, r)
}

// serveDone makes a Done that came before the start that of r, which has not
// been published yet. The caller holds s.mu.
func (s *state) serveDone(c *Cmd, r *run) {
	if s.done != nil && !s.failed {
		r.done = s.done
		r.waitInBackground(c)
	}
	s.done = nil
}

// startFailed releases those who wait for the command to be started.
func (s *state) startFailed(c *Cmd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed, s.args = true, c.Args
	if s.done == nil {
		s.done = make(chan struct{})
	}
	close(s.done)
}

// sameSlice reports whether a and b are one slice. Each Command has its own Args.
func sameSlice(a, b []string) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
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
