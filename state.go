package xexec

import (
	"os"
	"runtime"
	"sync"
	"time"
	"weak"

	"example.com/xexec/internal/oscmd"
)

// A state is what a Cmd has no room for. There is at most one for each Cmd,
// made when a method first needs it and dropped when the Cmd is collected.
//
// Nothing that the map leads to holds the Cmd, or else it would stay for ever: no
// context, no error and no writer of the caller's. What a run knows of those is
// in its outcome, which the Cmd itself holds.
type state struct {
	// mu guards what follows, and Cmd.Process and the pipes that os/exec's struct
	// lists against Start: that writes them with mu held. run.mu may be taken after it.
	mu sync.Mutex

	settings
	claimed bool          // Start was called here, for the command that the struct is now
	failed  bool          // and it failed
	done    chan struct{} // made by a Done that came before the start, or closed by a start that failed
	run     *run          // the process of Cmd.Process, or nil
}

// settings are what the Set methods set. A run has those of its start.
type settings struct {
	stopSignal       os.Signal // nil for the default
	wholeTree        bool
	killOnParentExit bool
	gracePeriod      time.Duration
	outputLimit      int
}

// states maps weak.Pointer[Cmd] to *state. Only this file touches it.
//
// The key is the Cmd's identity for as long as the Cmd lives and is never equal
// to that of a later Cmd at the same address.
var states sync.Map

// stateOf returns c's state. Like a method of os/exec's, it panics for a nil c.
func stateOf(c *Cmd) *state {
	_ = &c.Path
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
func current(c *Cmd) *run {
	s := stateOf(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current(c)
}

// current finds out which command c is now, and returns its run, if any. The
// caller holds s.mu.
//
// The struct is the truth. Where it has no process, and says that Start was not
// called although it was, another struct was assigned over it. A process that is
// not our run's came with a struct that was assigned or copied, and brings its
// run; or somebody else has started it (os/exec's Start, a hand-written one), and
// it is adopted.
func (s *state) current(c *Cmd) *run {
	switch p := c.Process; {
	case p == nil:
		if s.run != nil || s.claimed && oscmd.Unclaimed(c.Std()) {
			s.forget()
		}
	case s.run == nil || s.run.child.OS() != p:
		if s.claimed {
			s.forget()
		}
		if s.run = heldRun(c); s.run == nil {
			s.run = adopt(c, s.settings)
			s.serveDone(c)
		}
	}
	return s.run
}

// forget forgets the command over whose struct another one was assigned.
func (s *state) forget() {
	s.settings, s.claimed, s.failed, s.done, s.run = settings{}, false, false, nil, nil
}

// heldRun returns the run that c's struct holds, if that is the run of its process.
func heldRun(c *Cmd) *run {
	_, held := oscmd.Pipes(c.Std())
	for _, h := range held {
		if o, ok := h.(*outcome); ok && o.run.child.OS() == c.Process {
			return o.run
		}
	}
	return nil
}

// set changes the settings. Like a field's, a change has no effect on a command
// that was started.
func (c *Cmd) set(f func(*settings)) {
	s := stateOf(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current(c)
	f(&s.settings)
}

// claim makes the caller the one that starts c, and returns the settings. It
// fails if there was one.
func (s *state) claim(c *Cmd) (of settings, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current(c)
	if !oscmd.Claim(c.Std()) {
		return of, false
	}
	s.claimed = true
	return s.settings, true
}

// started publishes r as the run of c.
func (s *state) started(c *Cmd, r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Process, c.ProcessState = r.child.OS(), nil
	r.hold(c)
	s.run = r
	s.serveDone(c)
}

// serveDone makes a Done that came before the start that of the run. The caller
// holds s.mu, and nobody else has the run yet.
func (s *state) serveDone(c *Cmd) {
	if s.done != nil && !s.failed {
		s.run.done = s.done
		s.run.waitInBackground(c)
	}
	s.done = nil
}

// startFailed releases those who wait for the command to be started.
func (s *state) startFailed(c *Cmd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = true
	oscmd.Hold(c.Std())
	if s.done == nil {
		s.done = make(chan struct{})
	}
	close(s.done)
}

// doneChan returns the channel that Done returns for c.
func (s *state) doneChan(c *Cmd) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.current(c); r != nil {
		r.waitInBackground(c)
		return r.done
	}
	if s.done == nil {
		s.done = make(chan struct{})
	}
	return s.done
}
