package xexec

import (
	"weak"

	"example.com/xexec/internal/cause"
	"example.com/xexec/internal/oscmd"
)

// An outcome is what a run knows of the caller's errors and contexts, and its
// result. Any of these may lead to the Cmd, so the state must not lead to them:
// the struct holds the outcome, in the list of what os/exec's Wait is to close,
// and so does each copy of the struct. It is guarded by run.mu.
type outcome struct {
	run *run

	askedFor    *cause.Reason // why the command was asked to stop, and was alive
	endedFor    *cause.Reason // why it was killed, and was alive
	shutdownFor *cause.Reason // the same, of a Shutdown
	shutdownErr error         // what every Shutdown returns, once one has
	delayFor    *cause.Reason // why WaitDelay runs
	graceFor    *cause.Reason // why the grace period runs
	cancelErr   error         // what Wait reports of an attempt to end it
	copyErr     error         // the first of the copying
	stdErr      error         // the result of os/exec's Wait
	limited     bool          // there was more output than SetOutputLimit allows
	exitErr     *ExitError

	err, cause error // the result, once the run is complete
}

// Close is called at the end of an os/exec's Wait beside ours. The struct then lets go
// of the outcome, so the run has to hold it. Perhaps nobody will wait here, so what is
// left to do is done now, save for a tree: the rest of that lives on.
func (o *outcome) Close() error {
	o.run.mu.Lock()
	if o.run.states > 0 { // else nobody asks, and the cleanup holds the run
		o.run.kept = o
	}
	o.run.mu.Unlock()
	if !o.run.settings.wholeTree {
		o.run.await(complete, nil)
	}
	return nil
}

// hold makes c hold r's outcome, or r itself where the struct cannot. The caller
// holds r.mu, or nobody else has r yet.
func (r *run) hold(c *Cmd) {
	r.kept = r.outcome()
	if oscmd.Hold(c.Std(), r.kept) {
		r.kept = nil
	}
}

// outcome returns r's outcome. It makes one at the start, and again when the struct that
// held it is gone; that one is soon lost. The caller holds r.mu, or nobody else has r yet.
func (r *run) outcome() *outcome {
	if r.kept != nil {
		return r.kept
	}
	o := r.ref.Value()
	if o == nil {
		o = &outcome{run: r}
		r.ref = weak.Make(o)
	}
	return o
}

// conclude works out the result. The caller holds r.mu.
func (r *run) conclude() {
	o := r.outcome()
	why := o.askedFor
	if why == nil && r.child.DiedOfEnd() {
		why = o.endedFor
	}
	f := cause.Facts{
		Exit:        r.exitError(o),
		Cancel:      o.cancelErr,
		Copy:        o.copyErr,
		CutShort:    r.ending.cutShort,
		DelayKilled: r.ending.delayKilled,
		Limited:     o.limited,
		Bound:       r.bound,
		WaitDelay:   ErrWaitDelay,
	}
	if why != nil {
		o.cause = why.Cause
		if why != o.shutdownFor && why != cause.OutputLimit {
			f.Context = why
		}
	}
	if r.stderr != nil && o.exitErr != nil {
		o.exitErr.Stderr = r.stderr.Bytes()
	}
	o.err, r.stderr = f.Error(), nil
}

// exitError returns what the exit alone makes of the result, of an adopted run what
// os/exec's Wait has. The caller holds r.mu.
func (r *run) exitError(o *outcome) error {
	state, err, known := r.child.Status()
	switch {
	case !known, state == nil:
		return err
	case !r.ours:
		return o.stdErr
	case state.Success():
		return nil
	case o.exitErr == nil:
		o.exitErr = &ExitError{ProcessState: state}
	}
	return o.exitErr
}
