package xexec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"example.com/xexec/internal/cause"
	"example.com/xexec/internal/tree"
)

// Kill ends the command's process, or its whole tree ([Cmd.SetTree]), at once. See
// [Cmd.Signal] for what it returns.
func (c *Cmd) Kill() error { return c.Signal(os.Kill) }

// Signal sends sig to the command's process, or to all of its tree ([Cmd.SetTree]), and
// never to another process that has got its id since. It returns nil only if the
// process was alive, [os.ErrProcessDone] once it has exited, reaped or not, and an
// error that says "exec: not started" before Start has returned. Any goroutine may call
// it at any time, and it never blocks.
//
// Which signals there are on Windows, the package documentation says; others are errors
// that are [errors.ErrUnsupported]. On Solaris, AIX and Plan 9 it cannot be seen that a
// process has exited before it is reaped; until then the result is nil.
func (c *Cmd) Signal(sig os.Signal) error {
	r := current(c)
	if r == nil {
		return errNotStarted
	}
	r.mu.Lock()
	defer r.unlock()
	return r.child.Send(sig)
}

// Terminate asks the command to stop: it sends the stop signal, SIGTERM unless
// [Cmd.SetStopSignal] says otherwise, and lets a process or tree that is stopped
// continue (SIGCONT), so that it can obey. See [Cmd.Signal] for what it returns. If
// this system can never send the signal, the error is [errors.ErrUnsupported].
//
// On Windows SIGTERM is CTRL_BREAK, which a service without a console cannot send; what
// other languages call terminate there is Kill.
//
// It can be used as c.Cancel, with WaitDelay as the time after which the command is
// killed; [Cmd.SetGracePeriod] does both.
func (c *Cmd) Terminate() error {
	r := current(c)
	if r == nil {
		return errNotStarted
	}
	r.mu.Lock()
	defer r.unlock()
	return r.ask(nil)
}

// Shutdown stops the command: it sends the stop signal, as [Cmd.Terminate] does, and
// waits until the process, or its whole tree, is gone. When ctx ends first, it kills
// what is left and waits for its death. If this system can never send the stop signal,
// it kills at once, and the error is [errors.ErrUnsupported].
//
// It returns nil if no Shutdown had to kill anything (Wait tells how the command
// ended), and otherwise an error in which [errors.Is] finds ctx.Err() and
// [context.Cause] of ctx. If the process belongs to another user and cannot be killed,
// the error says so. One that does not die when killed is waited for without a bound.
//
// It returns when the command is gone, and waits 0.1 s at most for its output to be
// copied. Neither it nor a later Wait waits longer for a Stdin reader, or for a
// descendant that holds the output open.
//
// Any number of goroutines may call it, also after the command has exited. The stop
// signal is sent once, the first ctx that ends decides, and all get the same answer. It
// may be called from Cancel, and from a Writer. It panics if ctx is nil.
func (c *Cmd) Shutdown(ctx context.Context) error {
	notNil(ctx)
	r, _ := c.waited()
	if r == nil {
		return errNotStarted
	}
	defer runtime.KeepAlive(c)
	waitable := r.askOnce()
	if r.look(true) < gone && !(waitable && r.await(gone, ctx.Done())) {
		if err := r.shutdownEnd(ctx); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("xexec: shutdown: killing process %d: %w", r.child.Pid(), err)
		}
		r.await(gone, nil)
	}
	r.awaitOutput()
	return r.shutdownResult()
}

// askOnce sends the stop signal for the first of all Shutdowns. It reports whether it can
// be sent at all: if it could not be sent now, the process may still exit by itself, and
// the kill when the time is over reports what stands against it.
func (r *run) askOnce() bool {
	r.mu.Lock()
	defer r.unlock()
	e := &r.ending
	if !e.shutdownAsked && r.phase < gone {
		err := r.ask(nil)
		if errors.Is(err, errors.ErrUnsupported) {
			e.unaskable = err
		}
		e.shutdownAsked = err == nil || e.unaskable != nil
	}
	return e.unaskable == nil
}

// shutdownEnd kills the command in the name of a Shutdown.
func (r *run) shutdownEnd(ctx context.Context) error {
	why := cause.Of(ctx)
	r.mu.Lock()
	defer r.unlock()
	if err := r.ending.unaskable; err != nil {
		why = &cause.Reason{Err: err, Cause: err}
	}
	err := r.end(why)
	if o := r.outcome(); err == nil && o.shutdownFor == nil {
		o.shutdownFor = why
	}
	return err
}

// awaitOutput cuts the output and waits a moment for it to be copied, so that a
// caller who looks at it now sees it whole.
func (r *run) awaitOutput() {
	r.mu.Lock()
	r.cut()
	r.mu.Unlock()
	const moment = 100 * time.Millisecond
	timer := time.NewTimer(moment)
	defer timer.Stop()
	for {
		at, changed := r.advance()
		if at == complete || r.streams.OutputsCopied() {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			return
		}
	}
}

// shutdownResult is what Shutdown returns once the command is gone: the reason of
// the first Shutdown that had to kill it.
func (r *run) shutdownResult() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.outcome()
	_, _, known := r.child.Status()
	if o.shutdownErr == nil && o.shutdownFor != nil && (r.child.Kind() != tree.None || !known || r.child.DiedOfEnd()) {
		how := r.exitError(o)
		if exit, ok := how.(*ExitError); ok && r.stderr != nil {
			how = &ExitError{ProcessState: exit.ProcessState} // conclude will set the other's Stderr
		}
		o.shutdownErr = o.shutdownFor.Error(how, nil)
	}
	return o.shutdownErr
}
