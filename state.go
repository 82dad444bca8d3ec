package xexec

import (
	"os"
	"runtime"
	"sync"
	"time"

	"example.com/xexec/internal/beside"
	"example.com/xexec/internal/oscmd"
)

// A state is what a Cmd has no room for. It must not lead to the Cmd, which would
// then stay for ever, so it leads to no context or error of the caller's, and to a
// Writer only while it is copied to: the rest is in the outcome, which the Cmd holds.
type state struct {
	// mu guards what follows, and Cmd.Process. It comes before run.mu.
	mu sync.Mutex

	settings
	claimed bool          // Start was called here, for the command that the struct is now
	called  bool          // its Start was seen to have been called, here or by os/exec
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

// states is what the Cmds have. Only stateOf and settingsOf touch it.
var states = beside.Map[Cmd, state]{Dropped: (*state).dropRun}

// stateOf returns c's state. Like a method of os/exec's, it panics for a nil c.
func stateOf(c *Cmd) *state {
	_ = &c.Path
	return states.Of(c)
}

// settingsOf returns what was set for c. A command that nothing was set for gets its
// state after the fork, while the child already runs.
func settingsOf(c *Cmd) settings {
	_ = &c.Path // panics for a nil c
	if states.Find(c) == nil && oscmd.Unclaimed(c.Std()) {
		return settings{}
	}
	s := stateOf(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current(c)
	return s.settings
}

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
// The struct is the truth. If it has no process, and says that Start was not called
// although it was, another struct was assigned over it. A process that is not our
// run's came with a struct that was assigned or copied, and brings its run; or
// somebody else has started it, and it is adopted.
func (s *state) current(c *Cmd) *run {
	switch p := c.Process; {
	case p == nil:
		unclaimed := oscmd.Unclaimed(c.Std())
		if s.run != nil || s.called && unclaimed {
			s.forget()
		}
		if s.called = s.called || !unclaimed; s.called && !s.failed && oscmd.Failed(c.Std()) { // a copy
			s.fail()
		}
	case s.run == nil || s.run.child.OS() != p:
		if s.claimed || s.run != nil {
			s.forget()
		}
		if s.run = heldRun(c); s.run == nil {
			s.run = adopt(c, s.settings)
			s.serveDone(c)
		} else {
			s.settings = s.run.settings
		}
	}
	return s.run
}

// forget forgets the command over whose struct another one was assigned.
func (s *state) forget() {
	s.dropRun()
	s.settings, s.claimed, s.called, s.failed, s.done, s.run = settings{}, false, false, false, nil, nil
}

// dropRun lets go of the run of a struct that was collected, or assigned over. The run
// is abandoned when nobody has its outcome either: a copy of the struct, or a waiter.
func (s *state) dropRun() {
	if r := s.run; r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.states--; r.states == 0 {
			if r.settings.wholeTree || r.settings.killOnParentExit { // there is something to give back
				runtime.AddCleanup(r.outcome(), (*run).abandon, r)
			}
			r.kept = nil
		}
	}
}

// heldRun returns the run that c's struct holds, if that is the run of its process.
func heldRun(c *Cmd) *run {
	for _, h := range oscmd.ParentEnds(c.Std()) {
		if o, ok := h.(*outcome); ok && o.run.child.OS() == c.Process {
			o.run.mu.Lock()
			defer o.run.mu.Unlock()
			o.run.states++
			return o.run
		}
	}
	return nil
}

// set changes the settings. That has no effect on a command that was started.
func (c *Cmd) set(f func(*settings)) {
	s := stateOf(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current(c)
	f(&s.settings)
}

// started publishes r as the run of c.
func (s *state) started(c *Cmd, r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Process, c.ProcessState = r.child.OS(), nil
	r.hold(c)
	s.claimed, s.called, s.run = true, true, r
	s.serveDone(c)
}

// serveDone gives the run, which nobody else has yet, the channel that an earlier
// Done has returned. The caller holds s.mu.
func (s *state) serveDone(c *Cmd) {
	if s.done != nil && !s.failed {
		s.run.serveDone(c, s.done)
	}
	s.done = nil
}

// startFailed releases those who wait for the command to be started.
func (s *state) startFailed(c *Cmd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	oscmd.Fail(c.Std())
	s.fail()
}

// fail notes that the start has failed. The caller holds s.mu.
func (s *state) fail() {
	s.claimed, s.called, s.failed = true, true, true
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
		return r.doneChan(c)
	}
	if s.done == nil {
		s.done = make(chan struct{})
	}
	return s.done
}
