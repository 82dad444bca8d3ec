package xexec

import (
	"context"
	"errors"
	"fmt"
	"os"

	"example.com/xexec/internal/cause"
	"example.com/xexec/internal/oscmd"
)

// defaultCancel returns CommandContext's Cancel for c. Only os/exec's watcher and the
// caller call that. The literal must be the only one in this function, which must not
// be inlined: cancels knows it by its code.
//
//go:noinline
func defaultCancel(c *Cmd) func() error {
	return func() error {
		r := current(c)
		if r == nil {
			return errNotStarted
		}
		var why *cause.Reason
		if ctx := oscmd.Context(c.Std()); cause.Ended(ctx) {
			why = cause.Of(ctx)
		}
		r.mu.Lock()
		defer r.unlock()
		return r.end(why)
	}
}

var cancels = oscmd.CancelsOf(defaultCancel(nil), (*Cmd)(nil).Kill, (*Cmd)(nil).Terminate)

// watch lets the end of ctx do what cancel says. It calls methods of ctx, so the
// caller holds no lock.
func (r *run) watch(ctx context.Context, cancel oscmd.Cancel) {
	w := cause.On(ctx, func(why *cause.Reason) { r.contextEnded(why, cancel) })
	r.mu.Lock()
	defer r.unlock()
	r.ending.watches = append(r.ending.watches, w)
}

// contextEnded ends the command because one of its contexts has ended. The time that is
// then left is set before a Cancel of the caller's is called: that may not return.
func (r *run) contextEnded(why *cause.Reason, cancel oscmd.Cancel) {
	r.mu.Lock()
	defer r.unlock()
	if r.phase >= reaped {
		return
	}
	r.armDelay(why)
	grace := r.settings.gracePeriod > 0 && (cancel.Kind == oscmd.NoCancel || cancel.Kind == oscmd.DefaultCancel)
	var err error
	switch {
	case cancel.Kind == oscmd.OtherCancel:
		r.cancel(cancel.Call, why)
		return
	case cancel.Kind == oscmd.NoCancel && !grace:
		return
	case cancel.Kind != oscmd.TerminateCancel && !grace, r.child.Sealed():
		err = r.end(why)
	default:
		if grace && arm(&r.ending.graceTimer, r.settings.gracePeriod, r.graceExpired) {
			r.outcome().graceFor = why
		}
		if err = r.ask(why); errors.Is(err, errors.ErrUnsupported) {
			err = r.end(why)
		}
	}
	if err = cancelError(err); err != nil {
		r.outcome().cancelErr = err
	}
}

// cancelError returns what Wait reports of an attempt to end the command that has
// returned err. It calls methods of err, so no lock is held if that is a caller's.
func cancelError(err error) error {
	if err == nil || errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return fmt.Errorf("exec: canceling Cmd: %w", err)
}

// cancel calls the caller's Cancel, with r.mu unlocked meanwhile. While that runs,
// a process that was alive when it was called is not reaped: it may use the id.
// The caller holds r.mu.
func (r *run) cancel(call func() error, why *cause.Reason) {
	e := &r.ending
	if e.calling || e.cancelled {
		return // it is, or was, called on account of the other context
	}
	alive := !r.child.Sealed()
	asked, signals := e.asking, r.child.Delivered()
	e.calling, e.holding = true, alive
	if alive {
		r.setAsking(true)
	}
	var err, failed error
	returned := false
	defer func() { // also if it panics or calls Goexit
		r.mu.Lock()
		e.calling, e.holding = false, false
		o := r.outcome()
		if e.cancelled = returned && err == nil; e.cancelled {
			o.cancelErr = why.Err
		} else if failed != nil {
			o.cancelErr = failed
		}
		// One that fails, and has sent a signal before, has asked all the same.
		r.setAsking(asked || alive && (e.cancelled || r.child.Delivered() > signals))
		if e.asking && o.askedFor == nil {
			o.askedFor = why
		}
		if r.wake(); r.phase == gone {
			r.step() // the Shutdown that saw it go does not wait for the rest
		}
	}()
	r.mu.Unlock()
	err = call()
	failed, returned = cancelError(err), true
}

// Cause returns why the command was ended: [context.Cause] of the context that ended it
// (given to CommandContext, StartContext and so on, or to a Shutdown that had to kill
// it), [ErrOutputLimit], or [errors.ErrUnsupported] of a Shutdown that could not ask. It
// is nil if the command was not started, is not complete, ended by itself, or was
// signalled by somebody else. It never blocks.
//
// It is for code that keeps os/exec's Run and Wait, whose error for a command that its
// context ended is the [*ExitError] alone.
func (c *Cmd) Cause() error {
	r := current(c)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outcome().cause
}
