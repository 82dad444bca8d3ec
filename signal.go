package xexec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
)

// Kill ends the command's process, or its whole tree ([Cmd.SetTree]), at once. See
// [Cmd.Signal] for what it returns.
func (c *Cmd) Kill() error { return c.Signal(os.Kill) }

// Signal sends sig to the command's process, or to all of its tree ([Cmd.SetTree]),
// and never to another: not to a process that has got its id since.
//
// It returns nil only if the process was alive, [os.ErrProcessDone] once it has
// exited, reaped or not, and an error that says "exec: not started" before Start
// has returned. Any goroutine may call it at any time.
//
// On Windows there are [os.Kill] and, for a command that leads a console process
// group on our console (as with SetTree, or CREATE_NEW_PROCESS_GROUP),
// [os.Interrupt] and SIGTERM, which send CTRL_BREAK; any other is an error that is
// [errors.ErrUnsupported].
//
// On Solaris, AIX and Plan 9 it cannot be seen that a process has exited before it
// is reaped; until then the result is nil.
func (c *Cmd) Signal(sig os.Signal) error {
	r := stateOf(c).current(c)
	if r == nil {
		return errNotStarted
	}
	return r.signal(sig)
}

// Terminate asks the command to stop: it sends the stop signal, which is
// SIGTERM (on Windows CTRL_BREAK) unless [Cmd.SetStopSignal] says otherwise. See
// [Cmd.Signal] for what it returns. It can be used as c.Cancel:
//
//	c.Cancel = c.Terminate
//	c.WaitDelay = 10 * time.Second // then it is killed
func (c *Cmd) Terminate() error {
	r := stateOf(c).current(c)
	if r == nil {
		return errNotStarted
	}
	return r.signal(r.stop())
}

// SetStopSignal sets the signal that [Cmd.Terminate] and [Cmd.Shutdown] send; nil
// stands for the default.
// Like a field, it is to be set before the start; later it changes nothing.
func (c *Cmd) SetStopSignal(sig os.Signal) {
	c.set(func(s *settings) { s.stopSignal = sig })
}

// Shutdown stops the command: it sends the stop signal, as [Cmd.Terminate]
// does, waits for the command to complete, and when ctx ends first, kills it
// and waits for its death.
//
// It returns nil if no Shutdown had to kill the command (how it ended is for Wait
// to tell), and [context.Cause] of ctx if it had to. It returns the moment the
// command is gone. A descendant that holds the command's output open can delay
// it, but by no more than ctx allows and 0.1 s; what is open then is closed by
// Wait. If the process cannot be killed, because it belongs to another user, the
// error says so.
//
// Any number of goroutines may call it, also after the command has exited. The
// stop signal is sent once, the first ctx that ends decides, and all get the same
// answer. It may be called from c.Cancel. It panics if ctx is nil.
func (c *Cmd) Shutdown(ctx context.Context) error {
	if ctx == nil {
		panic("nil Context")
	}
	r := stateOf(c).current(c)
	if r == nil {
		return errNotStarted
	}
	err := r.shutdown(ctx)
	runtime.KeepAlive(c)
	return err
}

func (r *run) shutdown(ctx context.Context) error {
	r.terminateOnce()
	if r.look() >= copied || r.await(copied, ctx.Done()) {
		return r.shutdownResult()
	}
	if err := r.killFor(context.Cause(ctx)); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("xexec: shutdown: killing process %d: %w", r.pid, err)
	}
	gone := exited
	if r.foreign {
		gone = reaping // os/exec's Wait may be waiting for the Cancel that has called us
	}
	r.await(gone, nil)
	// Death closes the pipes, unless a descendant holds them: let the last
	// output arrive, so that a caller who looks at it now sees it whole.
	grace, cancel := context.WithTimeout(context.Background(), copyGrace)
	defer cancel()
	r.await(copied, grace.Done())
	return r.shutdownResult()
}

// signal sends sig to the process if that is alive.
func (r *run) signal(sig os.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.signalLocked(sig)
}

// signalLocked is signal for a caller that holds r.mu, under which alone
// signals are sent, and under which r.exited (for a tree, r.fate.over) is set
// before the process is reaped: so the id that is signalled here cannot have
// become another's.
func (r *run) signalLocked(sig os.Signal) error {
	if r.tree != nil {
		return r.signalTree(sig)
	}
	if r.hasExitedLocked() {
		return os.ErrProcessDone
	}
	err := r.send(sig)
	if err != nil && r.hasExitedLocked() {
		return os.ErrProcessDone // on Windows, it can be anything
	}
	return err
}

// hasExitedLocked looks whether the process has exited, without reaping it. The
// caller holds r.mu.
func (r *run) hasExitedLocked() bool {
	if !r.exited {
		gone, err := observe(r.proc, r.pid, false)
		r.exited, r.unobservable = gone && err == nil, err != nil
	}
	return r.exited
}

// kill is killLocked for a caller that does not hold r.mu.
func (r *run) kill() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.killLocked()
}

func (r *run) stop() os.Signal {
	if r.stopSignal != nil {
		return r.stopSignal
	}
	return defaultStopSignal
}

// terminateOnce sends the stop signal for the first of all Shutdowns. That it
// could not be sent is not an end: the process may exit by itself, and when
// the time is over it is killed, which reports what stands against it.
func (r *run) terminateOnce() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.terminated {
		r.terminated = r.signalLocked(r.stop()) == nil
	}
}

// killFor kills the process in the name of a Shutdown that has run out of time.
func (r *run) killFor(cause error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.killLocked()
	if err == nil && r.shutdownCause == nil {
		r.shutdownCause = cause
	}
	return err
}

// shutdownResult is what Shutdown returns once the process is reaped, or has
// exited and os/exec is reaping it.
func (r *run) shutdownResult() error {
	r.steps.Lock()
	defer r.steps.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase < exited {
		r.shutdownSaid = true // what the status will be is not for this Shutdown to wait for
	}
	if r.shutdownCause != nil && (r.tree != nil || r.shutdownSaid || diedOfKill(r.processState)) {
		return r.shutdownCause
	}
	return nil
}
