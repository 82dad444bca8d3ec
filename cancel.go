package xexec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"
)

// Cause returns why the command was ended: [context.Cause] of the context that
// ended it (given to CommandContext, StartContext and so on, or to a Shutdown
// that had to kill it), and nil if it ended by itself, was signalled by
// somebody else, or is not complete yet. It does not know of a context that only
// os/exec knows: of a command made by os/exec's CommandContext, or copied.
//
// It is for code that keeps os/exec's Run and Wait, whose error for a command
// that its context ended is the *ExitError alone (golang/go#21880).
func (c *Cmd) Cause() error {
	r := stateOf(c).current(c)
	if r == nil {
		return nil
	}
	r.steps.Lock()
	defer r.steps.Unlock()
	return r.cause
}

// A cancellation is what came of a context's end. It is guarded by run.mu.
type cancellation struct {
	settled bool          // the process is reaped; a context that ends now is too late
	ctxErr  error         // of the context that ended first; nil if none did
	cause   error         // its cause
	running chan struct{} // open while a Cancel of the caller's runs
	killed  bool          // the default Cancel reached a live process
	asked   bool          // a Cancel of the caller's did
	err     error         // what Wait reports of it

	timer     *time.Timer // WaitDelay, once a context has ended
	deadline  time.Time   // when the timer fires
	expired   bool        // it fired before the process was reaped
	delayKill bool        // and it killed the process
	copied    bool        // all was copied by then
}

// defaultCancel returns CommandContext's Cancel for c. It must be the only
// function literal here, and not inlined: see isDefaultCancel.
//
//go:noinline
func defaultCancel(c *Cmd) func() error {
	return func() error {
		s := stateOf(c)
		s.mu.Lock()
		r, ctx := s.currentLocked(c), s.context(c)
		s.mu.Unlock()
		if r == nil {
			return errNotStarted
		}
		err := r.kill()
		if r.foreign && err == nil {
			r.noteForeignKill(ctx)
		}
		return err
	}
}

// isDefaultCancel reports whether f came from defaultCancel, for whichever Cmd.
// A struct copy of a command has a Cancel that would kill the original; what
// was meant is: kill the command whose context has ended.
func isDefaultCancel(f func() error) bool {
	return f != nil && reflect.ValueOf(f).Pointer() == defaultCancelCode
}

var defaultCancelCode uintptr

func init() { defaultCancelCode = reflect.ValueOf(defaultCancel(nil)).Pointer() }

// noteForeignKill records that os/exec, which watches ctx for this command, has
// called the default Cancel.
func (r *run) noteForeignKill(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if end := &r.end; ctx != nil && ctx.Err() != nil && end.ctxErr == nil {
		end.ctxErr, end.cause, end.killed = ctx.Err(), context.Cause(ctx), true
	}
}

// watchContexts lets the end of own (CommandContext's) and of bound
// (StartContext's) end r. It registers with them; no goroutine watches.
//
// A registration holds the Cancel that it may have to call, and through that
// perhaps the Cmd, until the context ends or the command is reaped. The default
// Cancel is not called but done here, so it holds nothing.
func (r *run) watchContexts(own, bound context.Context, cancel func() error) {
	if r.foreign {
		own = nil
	}
	kill := isDefaultCancel(cancel)
	if own != nil && (cancel != nil || r.waitDelay != 0) {
		r.watch(own, cancel, kill)
	}
	if bound != nil {
		r.watch(bound, cancel, kill || cancel == nil)
	}
}

func (r *run) watch(ctx context.Context, cancel func() error, kill bool) {
	if kill {
		cancel = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Done() != nil && !r.end.settled {
		r.unwatch = append(r.unwatch, context.AfterFunc(ctx, func() { r.contextEnded(ctx, cancel, kill) }))
	}
}

// contextEnded ends the command because ctx has: with a kill, or with cancel,
// or if there is neither with the WaitDelay alone.
func (r *run) contextEnded(ctx context.Context, cancel func() error, kill bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := &r.end
	if end.settled || end.ctxErr != nil {
		return
	}
	end.ctxErr, end.cause = ctx.Err(), context.Cause(ctx)
	r.unwatchLocked()
	var err error
	switch {
	case kill:
		err = r.killLocked()
		end.killed = err == nil
	case cancel != nil:
		alive := !r.sealedLocked()
		end.running = make(chan struct{})
		end.asked = alive // the leader may be gone before Cancel has returned
		func() {
			defer close(end.running)
			r.mu.Unlock()
			defer r.mu.Lock() // also if it panics: that is the caller's to see
			err = cancel()
		}()
		end.asked = err == nil && alive
	}
	switch {
	case err == nil && (kill || cancel != nil):
		end.err = end.ctxErr
	case err != nil && !errors.Is(err, os.ErrProcessDone):
		end.err = fmt.Errorf("exec: canceling Cmd: %w", err)
	}
	if r.waitDelay != 0 {
		end.deadline = time.Now().Add(r.waitDelay)
		if !end.settled {
			end.timer = time.AfterFunc(r.waitDelay, r.waitDelayExpired)
		}
	}
}

// waitDelayExpired ends the patience with a process that a context's end has
// not ended. Once the process is reaped, await minds the deadline instead.
func (r *run) waitDelayExpired() {
	r.steps.Lock()
	defer r.steps.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	end := &r.end
	if end.settled {
		return
	}
	end.expired = true
	err := r.killLocked()
	switch {
	case err == nil:
		end.delayKill = true
	case !errors.Is(err, os.ErrProcessDone):
		end.err = fmt.Errorf("exec: killing Cmd: %w", err)
	}
	end.copied = r.io.finished()
	r.io.expire()
}

// settle closes the run to signals, and to contexts that end from now on: the
// process has been reaped, or is about to be because it was seen to have exited.
func (r *run) settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exited, r.end.settled = true, true
	r.unwatchLocked()
	if r.end.timer != nil {
		r.end.timer.Stop()
	}
	r.closeTreeLocked()
}

// unwatchLocked drops the registrations, and with them what they hold. The
// caller holds r.mu.
func (r *run) unwatchLocked() {
	for _, stop := range r.unwatch {
		stop()
	}
	r.unwatch = nil
}

// cancelling returns a channel that is open while a Cancel runs, or nil.
func (r *run) cancelling() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.end.running == nil {
		return nil
	}
	select {
	case <-r.end.running:
		return nil
	default:
		return r.end.running
	}
}

// verdict decides between the exit error, that of the context's end and that of
// the copying, in os/exec's order, and whom to blame for the end. The process is
// reaped, the copying done and no Cancel running.
func (r *run) verdict(exitErr error) (err, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := &r.end
	// A kill that came too late to be what ended the process is not to blame,
	// and did not fail a command that succeeded.
	killed := diedOfKill(r.processState) || r.fate.restKilled
	if end.killed && !killed {
		end.err = nil
	}
	blamed := end.asked || killed && (end.killed || end.delayKill)
	switch {
	case blamed:
		cause = end.cause
	case killed:
		cause = r.shutdownCause
	}

	err = exitErr
	if err == nil {
		err = end.err
	}
	switch {
	case err != nil || r.foreign:
	case end.expired && end.copied:
		if !end.delayKill {
			err = r.io.error()
		}
	default:
		err = r.io.error()
	}
	if r.rich && blamed {
		err = &contextError{err, cause, end.ctxErr}
	}
	return err, cause
}

// A contextError is the error of a command that the context of StartContext
// ended. It is the error that a plain Wait would have returned as well as the
// context's.
type contextError struct{ err, cause, ctxErr error }

func (e *contextError) Error() string {
	if e.err == nil || same(e.err, e.cause) || same(e.err, e.ctxErr) {
		return e.cause.Error()
	}
	return e.err.Error() + ": " + e.cause.Error()
}

func (e *contextError) Unwrap() []error {
	errs := []error{e.cause, e.ctxErr}
	if e.err != nil {
		errs = append([]error{e.err}, errs...)
	}
	return errs
}
