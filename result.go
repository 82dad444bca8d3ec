package xexec

import (
	"context"
	"errors"
	"runtime"
	"weak"

	"example.com/xexec/internal/oscmd"
)

// An outcome is what a run knows of the caller's errors and contexts, and its
// result. Any of these may lead to the Cmd, so the state must not: the struct
// holds the outcome, in the list of what os/exec's Wait is to close, and each copy
// of the struct does. It is guarded by run.mu.
type outcome struct {
	run *run

	askedFor    *reason // in whose name the command was asked to stop, and was alive
	killedFor   *reason // in whose name it was killed, and was alive
	shutdownFor *reason // the same, of a Shutdown
	shutdownErr error   // what all of them return, once one has
	delayFor    *reason // in whose name WaitDelay runs
	graceFor    *reason // in whose name the grace period runs
	cancelErr   error   // what Wait reports of a Cancel
	copyErr     error   // the first of the copying
	stdErr      error   // the result of os/exec's Wait
	exitErr     *ExitError
	limited     bool // there was more output than SetOutputLimit allows

	err, cause error // the result, once the run is complete
}

// Close is called by an os/exec's Wait that a caller uses beside ours. The struct
// lets go of the outcome then, so the run has to hold it.
func (o *outcome) Close() error {
	o.run.mu.Lock()
	defer o.run.mu.Unlock()
	o.run.kept = o
	return nil
}

// hold makes c hold r's outcome, a new one if there is none. Where the struct
// cannot, r does. The caller holds r.mu, or nobody else has r yet.
func (r *run) hold(c *Cmd) {
	o := r.result()
	if oscmd.Hold(c.Std(), o) {
		r.kept = nil
	}
}

// result returns r's outcome. It makes a new one, which is lost again, where there
// is none any more: the struct was collected, or assigned over. The caller holds
// r.mu, or nobody else has r yet.
func (r *run) result() *outcome {
	if r.kept != nil {
		return r.kept
	}
	o := r.outcome.Value()
	if o == nil {
		o = &outcome{run: r}
		r.outcome = weak.Make(o)
		if r.group.launch != nil {
			runtime.AddCleanup(o, (*run).abandon, r)
		}
	}
	return o
}

// conclude works out the result, in os/exec's order: the exit, then the context,
// then the copying. The caller holds r.mu.
func (r *run) conclude() {
	o, e := r.result(), &r.ending
	why := r.blame(o)
	if why != nil {
		o.cause = why.cause
	}
	exitErr := r.exitError(o)
	err := exitErr
	if err == nil {
		err = o.cancelErr
	}
	if err == nil && why != nil && why.ofContext {
		err = why.ctxErr
	}
	switch {
	case err != nil || !r.ours:
	case e.cutShort:
		err = ErrWaitDelay
	case !e.delayKilled:
		err = o.copyErr
	}
	if o.limited {
		err = &outputLimitError{exitErr}
	}
	if r.bound && why != nil && why.ofContext {
		err = why.error(err, o.cancelErr)
	}
	if e, ok := exitErr.(*ExitError); ok && r.stderr != nil {
		e.Stderr = r.stderr.Bytes()
	}
	o.err, r.stderr = err, nil
}

// exitError returns what the exit alone makes of the result. The caller holds
// r.mu.
func (r *run) exitError(o *outcome) error {
	switch state := r.exit.state; {
	case state == nil:
		return r.exit.err
	case !r.ours:
		return o.stdErr
	case !state.Success():
		if o.exitErr == nil {
			o.exitErr = &ExitError{ProcessState: state}
		}
		return o.exitErr
	}
	return nil
}

// blame returns why we have ended the command, or nil if it has ended by itself.
// If the process ended before our kill, its status is its own. Where somebody
// else has taken the status, what we did must do. The caller holds r.mu.
func (r *run) blame(o *outcome) *reason {
	switch {
	case o.askedFor != nil:
		return o.askedFor
	case o.killedFor != nil && r.diedOfUs():
		return o.killedFor
	}
	return nil
}

// diedOfUs reports whether a kill of ours ended the process, or others of its
// tree. The caller holds r.mu.
func (r *run) diedOfUs() bool {
	return r.ending.killed && (r.exit.state == nil || diedOfKill(r.exit.state)) || r.group.restKilled
}

// A reason is why a command is ended: a context, or the limit of its output.
type reason struct {
	ctxErr, cause error // Err and Cause of the context
	ofContext     bool  // one that the command was started with
}

func reasonOf(ctx context.Context) *reason {
	return &reason{ctxErr: ctx.Err(), cause: context.Cause(ctx)}
}

// error returns the error that tells why a command was ended, and with err how it
// did. Also is what its Cancel has returned.
func (why *reason) error(err, also error) error {
	if same(also, why.ctxErr) {
		also = nil
	}
	if same(err, why.ctxErr) || same(err, also) {
		err = nil
	}
	if err == nil && also == nil && same(why.cause, why.ctxErr) {
		return why.ctxErr
	}
	return &contextError{ctxErr: why.ctxErr, cause: why.cause, also: also, err: err}
}

// A contextError is the error of a context that has ended a command, a start or a
// wait, and with it that of the command, if there is one.
type contextError struct {
	ctxErr, cause error
	also          error // what a Cancel has returned
	err           error
}

func (e *contextError) Error() string {
	s := e.ctxErr.Error()
	if !same(e.cause, e.ctxErr) {
		s += ": " + e.cause.Error()
	}
	if e.err != nil {
		s += ": " + e.err.Error()
	}
	return s
}

// Is makes errors.Is find the context's error, its cause, and what Cancel has
// returned.
func (e *contextError) Is(target error) bool {
	return errors.Is(e.ctxErr, target) || errors.Is(e.cause, target) || errors.Is(e.also, target)
}

// Unwrap returns the command's own error. The cause is not unwrapped: errors.As
// would find another command's exit status in it.
func (e *contextError) Unwrap() error { return e.err }

// An outputLimitError is the error of a command that was killed because of
// SetOutputLimit, and with it its exit error, if there is one.
type outputLimitError struct{ err error }

func (e *outputLimitError) Error() string {
	if e.err == nil {
		return ErrOutputLimit.Error()
	}
	return ErrOutputLimit.Error() + ": " + e.err.Error()
}

func (e *outputLimitError) Is(target error) bool { return target == ErrOutputLimit }

func (e *outputLimitError) Unwrap() error { return e.err }

// same reports whether a and b are equal. Values that cannot be compared are not.
func same(a, b any) bool {
	defer func() { recover() }()
	return a == b
}
