package xexec

import (
	"context"
	"runtime"
	"slices"
	"weak"

	"example.com/xexec/internal/cause"
)

// waited returns the run of c's process and its outcome, which the caller keeps until it
// has the result: perhaps nobody else holds it.
func (c *Cmd) waited() (*run, *outcome) {
	r := current(c)
	if r == nil {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noteStdWait(c)
	r.publish(c)
	return r, r.outcome()
}

// doneChan returns the channel of Done.
func (r *run) doneChan(c *Cmd) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noteStdWait(c)
	r.publish(c)
	switch {
	case r.done != nil:
	case r.phase == complete:
		r.done = make(chan struct{})
		close(r.done)
	default:
		r.serveDone(c, make(chan struct{}))
	}
	return r.done
}

// serveDone makes done the channel of Done, and lets a goroutine wait, which keeps c
// alive. The caller holds r.mu, or nobody else has r yet.
func (r *run) serveDone(c *Cmd, done chan struct{}) {
	r.done = done
	go func() {
		r.await(complete, nil)
		runtime.KeepAlive(c)
	}()
}

// noteStdWait takes over what os/exec's Wait has found out, if that was called before
// the run came to it. The caller holds r.mu.
func (r *run) noteStdWait(c *Cmd) {
	if r.ours || r.child.Reaping() {
		return
	}
	if state := c.ProcessState; state != nil {
		r.child.Reaped(state, nil)
		if !state.Success() {
			r.outcome().stdErr = &ExitError{ProcessState: state}
		}
	}
}

// publish sets ProcessState in c, if c is a copy of the struct that was started: now, or
// when the process is reaped. The caller holds r.mu.
func (r *run) publish(c *Cmd) {
	w := weak.Make(c)
	switch state, _, _ := r.child.Status(); {
	case w == r.cmd, slices.Contains(r.copies, w):
	case r.phase < reaped:
		if len(r.copies) == cap(r.copies) {
			r.copies = slices.DeleteFunc(r.copies, func(w weak.Pointer[Cmd]) bool { return w.Value() == nil })
		}
		r.copies = append(r.copies, w)
	case c.ProcessState != state:
		c.ProcessState = state
	}
}

// Wait waits until the command has exited and the copying to and from Stdin, Stdout and
// Stderr is over. The command must have been started. As under os/exec, a Write that
// does not return holds Wait up, for longer than WaitDelay too.
//
// Any number of goroutines may call it, any number of times, and all get the same error
// value: nil if the command exited with status zero and all was copied; an [*ExitError]
// if it failed; another error for a copy that failed, a context that ended it or
// [ErrWaitDelay]. The command is reaped, and c.ProcessState written, once, before the
// first Wait returns. If somebody else has reaped the process, with wait4(-1) or
// c.Process.Wait, the error is os/exec's (on Unix, syscall.ECHILD).
func (c *Cmd) Wait() error {
	r, o := c.waited()
	if r == nil {
		return errNotStarted
	}
	r.await(complete, nil)
	runtime.KeepAlive(c)
	return o.err
}

// WaitContext waits like [Cmd.Wait], for as long as ctx lasts. The end of ctx ends the
// waiting and never the command, which runs on and can be waited for again. To end the
// command with a context, see [Cmd.RunContext].
//
// If ctx ends first, [errors.Is] finds ctx.Err() and [context.Cause] of ctx in the
// error. A command that is already complete wins over a ctx that is already done.
// WaitContext panics if ctx is nil.
func (c *Cmd) WaitContext(ctx context.Context) error {
	notNil(ctx)
	r, o := c.waited()
	if r == nil {
		return errNotStarted
	}
	defer runtime.KeepAlive(c)
	if r.look(true) == complete || r.await(complete, ctx.Done()) || r.look(true) == complete {
		return o.err
	}
	return cause.Of(ctx).Error(nil, nil)
}

// TryWait reports, without blocking, whether the command is complete (it has exited,
// and its output was copied), and if so returns Wait's error. It reaps a command that
// has exited. For one that was not started, done is false and err is Wait's.
func (c *Cmd) TryWait() (done bool, err error) {
	r, o := c.waited()
	if r == nil {
		return false, errNotStarted
	}
	defer runtime.KeepAlive(c)
	if r.look(false) == complete {
		return true, o.err
	}
	return false, nil
}

// Done returns a channel that is closed when Wait would return at once. It counts as
// waiting: a goroutine waits for the command, and reaps it when it exits.
//
// Called before the start, it returns the channel of the command that is then started
// here. If the start fails, the channel is closed, and Wait says that it was not
// started.
func (c *Cmd) Done() <-chan struct{} {
	return stateOf(c).doneChan(c)
}

// Pid returns the process id of the command, 0 before the start. Unlike c.Process.Pid,
// it may be called while another goroutine is in Start, and after [os.Process.Release].
// It never blocks.
func (c *Cmd) Pid() int {
	if r := current(c); r != nil {
		return r.child.Pid()
	}
	return 0
}
