package xexec

// How a command runs, from its start to its result:
//
//	start      claims the struct, opens the streams, forks, publishes the run
//	running    the process, or another of its tree, is alive as far as we know
//	gone       nobody is left; a Cancel that was called before still runs, or
//	           os/exec's Wait, for a command that os/exec has started
//	reaped     the status was taken; output is still copied, or a Cancel runs
//	complete   the result stands
//
// Every waiter calls advance, which takes the steps that are due and does not wait for
// the command, and then awaits what is missing. While nobody waits, the phase stays.
//
//	lock         guards                                  is taken while holding
//	state.mu     the settings, Cmd.Process               nothing
//	run.mu       the run, its child and its outcome      state.mu, or nothing
//	the rooms'   see there                               run.mu, or nothing
//
// No code of a caller's runs under any of them: no method of a context, no Reader
// or Writer, no Cancel, and no Close that may block.
//
// Words: the child is the process and its tree, of which the process is the leader.
// Exited is "seen to have exited", reaped is "its status was taken", gone is "nobody
// of it is left". Own is CommandContext's context, bound is StartContext's. To ask is
// to send the stop signal, to end is to kill on somebody's behalf, to cut is to end
// the copying while a pipe is still open. A child is sealed when its leader has exited
// and the rest has no time: nothing that happens later is why it ended. A run is ours if
// our Start has started it, and adopted if somebody else has. Its outcome is held by the
// struct, and kept by the run where that cannot hold it.
//
// Read on in start.go (how it begins), end.go (who ends it), cancel.go (contexts),
// result.go (what Wait returns) and state.go (how a Cmd finds its run).

import (
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
	"weak"

	"example.com/xexec/internal/cause"
	"example.com/xexec/internal/child"
	"example.com/xexec/internal/oscmd"
	"example.com/xexec/internal/stdio"
)

// A phase is how far a run has come.
type phase int

const (
	running phase = iota
	gone
	reaped
	complete
)

// A run is one process of a command, from its start to its end.
type run struct {
	cmd      weak.Pointer[Cmd] // whose ProcessState is set
	settings settings
	delay    time.Duration // WaitDelay
	ours     bool
	states   int  // that lead here: a copy of the struct has its own
	bound    bool // a context was given to the start: its error is the result's
	streams  *stdio.Streams
	stderr   *stdio.PrefixSuffix // Output's, for ExitError.Stderr

	// watching is held by the goroutine that waits in the kernel on behalf of all
	// waiters.
	watching chan struct{}

	mu      sync.Mutex
	copies  []weak.Pointer[Cmd] // of the struct, that are waited for, until it is reaped
	child   *child.Child
	phase   phase
	changed chan struct{} // closed when there may be a step to take, by wake; made by step
	done    chan struct{} // what Done has returned, if anything
	pipes   []io.Closer   // the parent's ends that methods have made, until they are closed
	ending  ending

	ref  weak.Pointer[outcome] // the outcome, which the struct holds
	kept *outcome              // the same, where the struct does not
}

// wake tells the waiters that there may be a step to take. The caller holds r.mu.
func (r *run) wake() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// await waits until r has reached the target phase, and reports whether it has:
// it returns false when cancel is closed first.
func (r *run) await(target phase, cancel <-chan struct{}) bool {
	for {
		at, changed := r.advance()
		if at >= target {
			return true
		}
		watching := r.watching
		if at != running {
			watching = nil // what is missing tells by changed
		}
		select {
		case <-changed:
		case <-cancel:
			return false
		case watching <- struct{}{}:
			seen := true
			if at, changed = r.advance(); at == running { // it may have been another's turn
				seen = r.child.Watch(changed, cancel)
			}
			<-r.watching
			if !seen {
				return false
			}
		}
	}
}

// advance takes the steps that are due. It returns how far r is, and the channel
// that tells of the next change.
func (r *run) advance() (phase, <-chan struct{}) {
	r.mu.Lock()
	defer r.unlock()
	return r.step()
}

// step is advance for one who holds r.mu.
func (r *run) step() (phase, <-chan struct{}) {
	switch {
	case r.phase != running:
	case r.child.Finish():
		r.phase = gone
		r.wake()
		if r.child.Empty() {
			r.cut() // nobody is left to write, whoever holds the pipes
		}
	case r.child.Exited() && !r.ending.shutdownAsked:
		r.armDelay(nil) // the rest has no longer, unless a Shutdown's context says so
	}
	if r.phase == gone && !r.ending.holding && r.child.Reap() {
		r.phase = reaped
		r.wake()
		// The struct may have been moved, and its place be another command's.
		for _, w := range append(r.copies, r.cmd) {
			if c := w.Value(); c != nil && c.Process == r.child.OS() && c.ProcessState == nil {
				c.ProcessState, _, _ = r.child.Status()
			}
		}
		r.copies = nil
	}
	if r.phase == reaped && !r.ending.calling && r.copyingOver() {
		r.cut()
		for _, t := range []*time.Timer{r.ending.delayTimer, r.ending.graceTimer} {
			if t != nil {
				t.Stop()
			}
		}
		r.conclude()
		r.phase = complete
		r.wake()
		if r.done != nil {
			close(r.done)
		}
	}
	if r.phase < complete && r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.phase, r.changed
}

// unlock unlocks r.mu, and then lets go of the contexts that cannot end r any more,
// which calls methods of theirs.
func (r *run) unlock() {
	var watches []cause.Watch
	if r.phase >= reaped {
		watches, r.ending.watches = r.ending.watches, nil
	}
	r.mu.Unlock()
	for _, w := range watches {
		w.Stop()
	}
}

// look is advance after a look at the process. If the caller must not block, a
// goroutine lets go of the contexts.
func (r *run) look(mayBlock bool) phase {
	r.mu.Lock()
	r.child.Look()
	at, _ := r.step()
	if mayBlock || at < reaped || len(r.ending.watches) == 0 {
		r.unlock()
	} else {
		go r.unlock()
	}
	return at
}

// copyingOver reports whether nothing is to be waited for on account of the standard
// streams. If something is, it lets WaitDelay run. The caller holds r.mu.
func (r *run) copyingOver() bool {
	if r.streams.Over() {
		return true
	}
	r.armDelay(nil)
	return false
}

// copyEnded notes the error of a stream, if there is one, and that something of the
// streams may have changed.
func (r *run) copyEnded(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.outcome(); o.copyErr == nil && err != stdio.ErrLimit {
		o.copyErr = err
	}
	r.wake()
}

// cut ends the copying, and closes the parent's ends of the pipes. What is in a
// pipe is kept, for a Writer and for a reader. The caller holds r.mu.
func (r *run) cut() {
	r.ending.cut = true
	r.streams.Cut()
	for _, p := range r.pipes {
		stdio.CloseEnd(p)
	}
	r.pipes = nil
}

// std returns the command whose os/exec's Wait is to be called, of an adopted run. The
// waiter keeps the Cmd alive.
func (r *run) std() *exec.Cmd {
	if c := r.cmd.Value(); c != nil && c.Process == r.child.OS() {
		return c.Std()
	}
	return &exec.Cmd{Process: r.child.OS()}
}

func (r *run) waitStd() (*os.ProcessState, error) { return oscmd.Wait(r.std()) }

// stdReaped notes the result of os/exec's Wait, which has let go of the outcome.
// The caller holds r.mu.
func (r *run) stdReaped(_ *os.ProcessState, err error) {
	r.outcome().stdErr = err
	if c := r.cmd.Value(); c != nil {
		r.hold(c)
	}
}
