package xexec

// How a command runs, from its start to its result
//
//	start      claims the struct, opens the streams, forks, publishes the run
//	running    the exit of the process has not been seen
//	lingering  it has; others of its tree are left, or have to be killed
//	gone       nobody is left; a Cancel that was called before still runs,
//	           or os/exec's Wait, for a command that os/exec started
//	reaped     the status is known; output is still being copied, or a Cancel runs
//	complete   the result stands
//
// A run moves on when somebody looks: every waiter calls advance, which takes all
// steps that are due and never blocks, and then waits for what is missing (await).
// While nobody waits, nothing moves.
//
//	lock            guards                               taken while holding
//	state.mu        settings, Cmd.Process                nothing
//	run.mu          the run and its outcome; a signal    state.mu, or nothing
//	                is sent, the exit noted and the
//	                process reaped only under it
//	rooms' locks    see their packages                   run.mu, or nothing
//
// No code of a caller's runs under any of them: no method of a context, no Reader
// or Writer, no Cancel, and no Close that may block.
//
// The one invariant: a signal is sent under run.mu and only while the exit has not
// been seen (of a tree: while its end has not), and the process is reaped after
// that, under run.mu, too. So the id that is signalled is our child's.
//
// Words: the leader is the process that was started, the rest are the others of
// its tree; exited is "seen to have exited", reaped is "its status was taken", gone
// is "nobody of it is left"; own is the context that CommandContext was given,
// bound the one of StartContext; a reason is why we end a command; ours is a run
// that Start has started, an adopted one was started by os/exec's Start; to cut is
// to end the copying while a pipe is still open.
//
// Read on in start.go (how it begins), end.go (who ends it), cancel.go (contexts),
// result.go (what Wait returns), state.go (how a Cmd finds its run).

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
	"weak"

	"example.com/xexec/internal/exits"
	"example.com/xexec/internal/oscmd"
	"example.com/xexec/internal/stdio"
)

// A phase is how far a run has come.
type phase int

const (
	running phase = iota
	lingering
	gone
	reaped
	complete
)

// A run is one process of a command, from its start to its end.
type run struct {
	cmd      weak.Pointer[Cmd] // whose ProcessState is set
	proc     *exits.Process
	settings settings
	ours     bool
	bound    bool          // a context was given to the start: its error is the result's, too
	delay    time.Duration // WaitDelay

	streams *stdio.Streams      // nil if nothing is copied
	stderr  *stdio.PrefixSuffix // Output's, for ExitError.Stderr

	// watching is held by the goroutine that waits in the kernel on behalf of all
	// waiters.
	watching   chan struct{}
	background sync.Once // Done's goroutine

	mu      sync.Mutex
	phase   phase
	changed chan struct{} // closed when there may be a step to take, and replaced
	done    chan struct{} // closed when the run is complete
	pipes   []io.Closer   // parent's ends that methods have made, until they are closed
	exit    exit
	group   group
	ending  ending

	outcome weak.Pointer[outcome] // see result
	kept    *outcome
}

// An exit is how the leader's exit came to be known. It is guarded by run.mu.
type exit struct {
	seen         bool
	unobservable bool // it cannot be seen before the process is reaped
	reaping      bool // a goroutine reaps, or has done so
	known        bool // the process was reaped: the two below stand
	state        *os.ProcessState
	err          error // of the wait: somebody else has reaped it, it was released
}

// wake tells the waiters that there may be a step to take. The caller holds r.mu.
func (r *run) wake() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// await waits until r has reached the target phase, and reports whether it has:
// it returns false when cancel is closed first.
func (r *run) await(target phase, cancel <-chan struct{}) bool {
	for {
		at, changed := r.advance()
		if at >= target {
			return true
		}
		watch := r.watching
		if at >= gone {
			watch = nil // what is missing is told by changed
		}
		select {
		case <-changed:
		case <-cancel:
			return false
		case watch <- struct{}{}:
			left := r.watch(cancel)
			<-r.watching
			if left {
				return false
			}
		}
	}
}

// watch waits for the leader's exit, or for a change in the rest of its tree, and
// notes it. It returns true if cancel was closed first. The caller holds watching.
func (r *run) watch(cancel <-chan struct{}) (left bool) {
	r.mu.Lock()
	seen, reaping, at, changed := r.exit.seen, r.exit.reaping, r.phase, r.changed
	r.mu.Unlock()
	switch {
	case at >= gone:
		return false
	case seen:
		return r.linger(cancel)
	case reaping: // the goroutine that reaps tells
		select {
		case <-changed:
			return false
		case <-cancel:
			return true
		}
	}
	exited, err := r.proc.Wait(cancel)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noteExit(exited, err)
	return !exited && err == nil
}

// noteExit notes what a look at the process, or a wait for it, has found. The
// caller holds r.mu.
func (r *run) noteExit(exited bool, err error) {
	if !r.exit.seen && (exited || err != nil) {
		r.exit.seen, r.exit.unobservable = exited, err != nil
		r.wake()
	}
}

// look looks whether the leader has exited, without reaping it. The caller holds
// r.mu.
func (r *run) look() bool {
	if !r.exit.seen && !r.exit.known {
		r.noteExit(r.proc.Exited())
	}
	return r.exit.seen
}

// lookAndAdvance is advance after a look.
func (r *run) lookAndAdvance() phase {
	r.mu.Lock()
	r.look()
	r.mu.Unlock()
	at, _ := r.advance()
	return at
}

// advance takes the steps that are due. It returns how far r is, and the channel
// that tells of the next change.
func (r *run) advance() (phase, <-chan struct{}) {
	r.mu.Lock()
	defer r.unlock()
	if r.phase == running && !r.exit.seen && r.exit.unobservable && !r.exit.reaping {
		r.reapInBackground()
	}
	if r.phase == running && r.exit.seen {
		r.phase = lingering
	}
	if r.phase == lingering && r.groupEnded() {
		r.phase = gone
		r.wake()
	}
	if r.phase == gone && r.ending.holding == 0 && r.reap() {
		r.phase = reaped
		r.wake()
	}
	if r.phase == reaped && r.ending.calling == 0 && r.copyingOver() {
		r.finish()
	}
	return r.phase, r.changed
}

// unlock unlocks r.mu, and then lets go of the contexts that cannot end r any more:
// that calls methods of theirs.
func (r *run) unlock() {
	var stops []weak.Pointer[registration]
	if r.exit.known {
		stops, r.ending.registered = r.ending.registered, nil
	}
	r.mu.Unlock()
	for _, s := range stops {
		if s := s.Value(); s != nil {
			s.stop()
		}
	}
}

// reap takes the status of a process that has exited, and reports whether it has
// it. Nobody of its tree is left, so no signal is on its way. The caller holds
// r.mu.
func (r *run) reap() bool {
	switch {
	case r.exit.known:
	case r.exit.reaping:
		return false
	case r.ours || !oscmd.WaitMayBlock(r.std()):
		r.reapedWith(r.wait()())
	default:
		r.reapInBackground()
		return false
	}
	if c := r.cmd.Value(); c != nil && c.ProcessState == nil {
		c.ProcessState = r.exit.state
	}
	r.closeGroup()
	return true
}

// wait returns what reaps the process: for a command that os/exec has started,
// os/exec's Wait.
func (r *run) wait() func() (*os.ProcessState, error) {
	if r.ours {
		return r.proc.Reap
	}
	std := r.std()
	return func() (*os.ProcessState, error) {
		err := std.Wait()
		return std.ProcessState, err
	}
}

// std returns the command that os/exec has started, which a waiter keeps alive.
func (r *run) std() *exec.Cmd {
	if c := r.cmd.Value(); c != nil {
		return c.Std()
	}
	return &exec.Cmd{Process: r.proc.OS}
}

// reapedWith notes what the wait has returned: of os/exec's, that is the whole
// result. The caller holds r.mu.
func (r *run) reapedWith(state *os.ProcessState, err error) {
	r.exit.seen, r.exit.known, r.exit.state = true, true, state
	if c := r.cmd.Value(); c != nil && !r.ours {
		r.hold(c) // os/exec's Wait has let go of it
	}
	switch {
	case state == nil:
		r.exit.err = err
		if !isStolen(err) {
			r.forsake() // it was released: what became of it nobody can tell
		}
	case err != nil:
		r.result().stdErr = err
	}
	r.wake()
}

// reapInBackground lets a goroutine wait for the process: where its exit cannot be
// seen before, and for os/exec's Wait, which may take longer. The caller holds
// r.mu.
func (r *run) reapInBackground() {
	r.exit.reaping = true
	wait := r.wait()
	go func() {
		state, err := wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.reapedWith(state, err)
	}()
}

// copyingOver reports whether nothing is to be waited for on account of the
// standard streams. From the exit on, that takes WaitDelay at most. The caller
// holds r.mu.
func (r *run) copyingOver() bool {
	if r.streams.Over() {
		return true
	}
	r.armDelay(nil)
	return false
}

// copyEnded is called when one of the streams is over, with its error.
func (r *run) copyEnded(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.result(); o.copyErr == nil && err != stdio.ErrLimit {
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

// finish makes the result known. The caller holds r.mu.
func (r *run) finish() {
	r.cut()
	r.stopTimers()
	r.conclude()
	r.phase = complete
	r.wake()
	close(r.done)
}

// waitInBackground waits on behalf of Done. The goroutine keeps c alive.
func (r *run) waitInBackground(c *Cmd) {
	r.background.Do(func() {
		go func() {
			r.await(complete, nil)
			runtime.KeepAlive(c)
		}()
	})
}
