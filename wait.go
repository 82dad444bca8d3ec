package xexec

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
	"weak"
)

// Wait waits for the command to exit and for the copying to and from Stdin,
// Stdout and Stderr to complete. The command must have been started.
//
// Any number of goroutines may call it, any number of times, and all get the
// same error value: nil if the command ran, its input and output were copied
// without problems and it exited with status zero; an [*ExitError] if it
// failed; another error for a copy that failed, a context that ended it or
// [ErrWaitDelay]. The command is reaped, and c.ProcessState written, once,
// before the first Wait returns.
//
// If somebody else has reaped the process, with wait4(-1) or c.Process.Wait,
// the error is that of os/exec (on Unix, errors.Is(err, syscall.ECHILD)).
func (c *Cmd) Wait() error {
	r := stateOf(c).current(c)
	if r == nil {
		return errNotStarted
	}
	r.await(complete, nil)
	runtime.KeepAlive(c) // ProcessState is set in it
	return r.err
}

// WaitContext is like [Cmd.Wait], but returns [context.Cause] of ctx if that
// ends first. It then has ended only this call: the command runs on, and can be
// waited for again. A command that is already complete wins over a ctx that is
// already done. It panics if ctx is nil.
func (c *Cmd) WaitContext(ctx context.Context) error {
	if ctx == nil {
		panic("nil Context")
	}
	r := stateOf(c).current(c)
	if r == nil {
		return errNotStarted
	}
	done := r.look() == complete || r.await(complete, ctx.Done()) || r.look() == complete
	runtime.KeepAlive(c)
	if !done {
		return context.Cause(ctx)
	}
	return r.err
}

// TryWait reports, without blocking, whether the command is complete, and if so
// what Wait returns. If the command has exited, TryWait reaps it, or lets a Wait
// that is just doing so finish. It is complete when it has exited and its output
// has been copied.
//
// A command that was not started is not done, and err is Wait's.
func (c *Cmd) TryWait() (done bool, err error) {
	r := stateOf(c).current(c)
	if r == nil {
		return false, errNotStarted
	}
	done = r.look() == complete
	runtime.KeepAlive(c)
	if !done {
		return false, nil
	}
	return true, r.err
}

// Done returns a channel that is closed when Wait would return at once. It
// counts as waiting for the command: a goroutine does it until the command is
// complete, and reaps it when it exits.
//
// Called before the start, the channel is that of the command once it is
// started here, and is closed if the start fails (Wait then says that it was not
// started).
func (c *Cmd) Done() <-chan struct{} {
	return stateOf(c).doneChan(c)
}

// A run is one process of a command, from its start to its end.
type run struct {
	cmd     weak.Pointer[Cmd]
	proc    *os.Process
	pid     int
	in      exec.Cmd // what os/exec started for us
	foreign bool     // os/exec has the standard I/O and CommandContext's context

	published chan struct{} // if not nil, closed when Cmd.Process is set
	ownCancel bool          // Cancel is not the default
	stdPipes  bool          // os/exec's Wait closes pipes
	rich      bool          // was bound to a context by StartContext
	settings
	tree      *tree // nil without SetTree
	leads     bool  // the process leads a group of its own
	waitDelay time.Duration
	patience  time.Duration // WaitDelay, where os/exec has it
	pipes     []pipe
	stderr    *prefixSuffix

	// lead is held by the one goroutine that watches for the exit, for all,
	// and then for the end of the tree.
	lead       chan struct{}
	lingered   time.Duration // the last pause between two looks at the tree
	background sync.Once     // Done's goroutine
	observer   observer

	// mu is the lock that signals take. A signal is sent only while exited is
	// false, and the process is reaped only after exited was set: it is the
	// pid (and the group id) of our child, alive or a zombie, that is
	// signalled, whatever the kernel offers for safety besides. (It is that
	// alone which is relied on while the one who leads has claimed the reap.)
	//
	// Of a tree, the same is true of fate.over in the place of exited: the
	// leader's exit does not end the signalling of the others.
	//
	// A caller that needs steps too takes steps first.
	mu            sync.Mutex
	exited        bool // the process has been seen to have exited
	unobservable  bool // that cannot be seen
	end           cancellation
	unwatch       []func() bool // context registrations
	terminated    bool          // Shutdown has sent the stop signal
	shutdownCause error         // why a Shutdown has killed the process
	shutdownSaid  bool          // one has said so before the status was known
	fate          treeState

	// steps is held by whoever takes the steps from the exit to the result.
	// None of them blocks. Every waiter takes those that are due, so it does
	// not matter which of them is between two.
	steps        sync.Mutex
	phase        phase
	processState *os.ProcessState
	exitErr      error
	cause        error
	reaped       chan struct{} // closed at the end of the phases claimed and reaping

	io *copying // nil if nothing is copied

	// done is closed when err is set.
	done chan struct{}
	err  error
}

// A phase is how far a run has come. The waiters move it on; see advance.
type phase int

const (
	running   phase = iota // not known to have exited
	claimed                // likewise; the one who leads waits for that and reaps it in one call
	lingering              // exited, unreaped; others of the tree have not
	reaping                // os/exec's Wait runs in a goroutine and decides
	exited                 // reaped; perhaps something is still being copied
	copied                 // and that is over; perhaps a Cancel still runs
	complete               // the result stands
)

// await waits until r has reached the target phase, and reports whether it has:
// it returns false when cancel is closed first. It takes all the steps itself,
// in the caller's goroutine.
func (r *run) await(target phase, cancel <-chan struct{}) bool {
	for {
		at := r.advance(false)
		if at >= target {
			return true
		}
		switch at {
		case running, lingering:
			select {
			case <-r.done:
			case <-cancel:
				return false
			case r.lead <- struct{}{}:
				seen := r.awaitExit(cancel)
				for r.advance(false) == lingering && seen { // before the next one leads
					seen = r.linger(cancel)
				}
				<-r.lead
				if !seen {
					return false
				}
			}
		case claimed, reaping:
			select {
			case <-r.reaped:
			case <-cancel:
				return false
			}
		case exited:
			cancelling := r.cancelling() // before the last look, to miss nothing
			if r.advance(false) > exited {
				continue
			}
			written, timeout, stop := r.io.wake()
			select {
			case <-r.io.all:
			case <-written:
			case <-timeout:
			case <-cancelling:
			case <-cancel:
				stop()
				return false
			}
			stop()
		case copied:
			cancelling := r.cancelling()
			if cancelling == nil {
				continue
			}
			select {
			case <-cancelling:
			case <-cancel:
				return false
			}
		}
	}
}

// advance takes the steps that can be taken now, and returns how far r is. With
// look, it looks whether the process has exited, else it relies on what others
// have seen.
func (r *run) advance(look bool) phase {
	r.steps.Lock()
	defer r.steps.Unlock()
	if r.phase == running || r.phase == claimed {
		switch seen, unobservable := r.exitSeen(look); {
		case r.phase == claimed:
		case seen, unobservable && r.reapedElsewhere():
			r.phase = lingering
		case unobservable:
			r.reapInBackground()
		}
	}
	if r.phase == lingering && r.treeEnded(r.reapedElsewhere()) {
		r.reap()
	}
	if r.phase == exited && r.copyingOver() {
		r.phase = copied
	}
	if r.phase == copied && r.cancelling() == nil {
		r.finish()
	}
	return r.phase
}

// look is advance after a look whether the process has exited. If it has, and
// the one who leads has claimed it, that one's call is returning.
func (r *run) look() phase {
	at := r.advance(true)
	if at == claimed {
		if seen, _ := r.exitSeen(false); seen {
			<-r.reaped
			at = r.advance(false)
		}
	}
	return at
}

func (r *run) exitSeen(look bool) (seen, unobservable bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if look {
		r.hasExitedLocked()
	}
	return r.exited, r.unobservable
}

// reap takes the exit status of a process that has exited, and whose tree has
// ended. The caller holds steps; r.exited is set, and r.fate.over for a tree, so
// no signal is on its way.
func (r *run) reap() {
	r.settle()
	if r.stdPipes {
		r.takePipes()
	}
	std := r.stdCmd()
	if r.wasReaped() {
		return
	}
	if r.foreign && waitMayBlock(std) {
		r.reapInBackground()
		return
	}
	r.exitErr = std.Wait()
	r.setState(std.ProcessState)
	r.phase = exited
}

// reapInBackground leaves the waiting to os/exec's Wait: one that may block after
// the exit, or one for a process whose exit cannot be observed (a system without
// the means, a process that was released). Signals to that are as safe as
// os.Process makes them. The caller holds steps.
func (r *run) reapInBackground() {
	r.phase, r.reaped = reaping, make(chan struct{})
	go r.reapWith(r.stdCmd())
}

// wasReaped reports whether os/exec's Wait was called for the same struct, and
// takes its result. The caller holds steps.
func (r *run) wasReaped() bool {
	if !r.reapedElsewhere() {
		return false
	}
	r.settle()
	r.processState = r.cmd.Value().ProcessState
	if !r.processState.Success() {
		r.exitErr = &ExitError{ProcessState: r.processState}
	}
	r.phase = exited
	return true
}

func (r *run) reapedElsewhere() bool {
	c := r.cmd.Value()
	return c != nil && c.ProcessState != nil && c.Process == r.proc
}

// reapWith lets os/exec's Wait, which may block, reap the process.
func (r *run) reapWith(std *exec.Cmd) {
	err := std.Wait()
	for !r.restEnded() {
		r.linger(nil)
	}
	r.settle()
	r.steps.Lock()
	defer r.steps.Unlock()
	r.exitErr = err
	r.setState(std.ProcessState)
	r.phase = exited
	close(r.reaped)
}

// restEnded is treeEnded for a tree whose leader was reaped first.
func (r *run) restEnded() bool {
	r.steps.Lock()
	defer r.steps.Unlock()
	return r.treeEnded(true)
}

// stdCmd returns the command whose os/exec Wait reaps the process.
func (r *run) stdCmd() *exec.Cmd {
	if r.in.Process != nil {
		return &r.in
	}
	if c := r.cmd.Value(); c != nil { // adopted, and kept alive by the waiter
		return c.Std()
	}
	return &exec.Cmd{Process: r.proc}
}

func (r *run) setState(state *os.ProcessState) {
	r.processState = state
	if c := r.cmd.Value(); c != nil && c.ProcessState == nil {
		c.ProcessState = state
	}
}

// copyingOver reports whether nothing is to be waited for on account of the
// standard I/O, and cuts it off when WaitDelay is over.
func (r *run) copyingOver() bool {
	if r.waitDelay != 0 && r.cancelling() == nil {
		r.mu.Lock()
		deadline := r.end.deadline // one period, from the context's end
		r.mu.Unlock()
		if deadline.IsZero() {
			deadline = time.Now().Add(r.waitDelay) // or from the exit
		}
		r.io.limit(deadline)
	}
	return r.io.over()
}

// finish makes the result known.
func (r *run) finish() {
	r.takePipes()
	r.err, r.cause = r.verdict(r.exitErr)
	if e, ok := r.exitErr.(*ExitError); ok && r.stderr != nil {
		e.Stderr = r.stderr.Bytes()
	}
	r.in, r.stderr = exec.Cmd{}, nil // hold nothing that the caller may drop
	r.phase = complete
	close(r.done)
}

// takePipes closes the parent's ends of the pipes that methods have made, and
// moves what can still be read from them to memory.
func (r *run) takePipes() {
	for _, p := range r.pipes {
		p.release()
	}
	r.pipes = nil
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
