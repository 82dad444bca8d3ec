package xexec

import (
	"context"
	"os/exec"
	"time"
	"weak"
)

// unbound is what Start has where StartContext has a context.
var unbound context.Context

// start is Start, and StartContext if bound is not nil.
func (c *Cmd) start(bound context.Context) error {
	s := stateOf(c)
	if !s.claim(c) {
		return errAlreadyStarted
	}
	r, own := s.newRun(c)
	r.rich = bound != nil
	err := r.start(c, own, bound)
	if c.Err == nil && r.in.Err != nil {
		c.Err = r.in.Err // "exec: no command", which String shows
	}
	if err != nil {
		s.startFailed(c)
		return err
	}
	s.started(c, r)
	if r.published != nil {
		close(r.published)
	}
	r.io.start()
	r.watchContexts(own, bound, c.Cancel)
	return nil
}

// newRun returns the run of a command that is about to be started, and the
// command's context.
func (s *state) newRun(c *Cmd) (*run, context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &run{
		cmd:       weak.Make(c),
		ownCancel: c.Cancel != nil && !isDefaultCancel(c.Cancel),
		settings:  s.settings,
		waitDelay: c.WaitDelay,
		pipes:     s.pipes,
		stderr:    s.stderr,
		lead:      make(chan struct{}, 1),
		done:      make(chan struct{}),
	}, s.context(c)
}

// start starts the process. Path lookup, environment, the checks of the command
// and the fork are os/exec's: it gets a copy of the command, with a file for each
// of Stdin, Stdout and Stderr and with neither Cancel nor WaitDelay, so that it
// has nothing to start a goroutine for.
//
// A command with a context that we cannot name (a struct copy of one that
// CommandContext made, or os/exec's) is left to os/exec as it is.
func (r *run) start(c *Cmd, own, bound context.Context) (err error) {
	in := exec.Cmd(*c)
	in.ProcessState = nil
	r.foreign = own == nil && (c.Cancel != nil || c.WaitDelay != 0) && hasContext(&in)
	var files childFiles
	defer func() { files.close(err != nil) }()
	for _, p := range r.pipes {
		files.addPipe(p)
	}
	// os/exec says what is wrong with a command that has no chance. It does so
	// without Cancel, too, but for one that has a Cancel and no context.
	hopeless := c.Err != nil || c.Path == ""
	r.stdPipes = len(r.pipes) > 0
	switch {
	case r.foreign:
		r.patience, r.waitDelay = c.WaitDelay, 0
		in.Cancel = r.foreignCancel(c.Cancel)
	case own != nil || bound != nil || c.Cancel == nil:
		in.Cancel, in.WaitDelay = nil, 0
		if len(r.pipes) > 0 && (own != nil || !hasContext(&in)) {
			// os/exec closes the pipes that it knows of when a start fails, and
			// it could not be tried again.
			in, r.stdPipes = *configuration(&in, own), false
		}
	default:
		hopeless = true
	}
	if !hopeless && bound != nil && bound.Err() != nil {
		return startError(bound)
	}
	if !hopeless && !r.foreign && (own == nil || own.Err() == nil) {
		if err = files.open(&in); err != nil {
			return err
		}
		r.io = files.io
	}
	if !hopeless && (own == nil || own.Err() == nil) {
		if err := r.prepareTree(&in); err != nil {
			return err
		}
		r.leads = leadsGroup(in.SysProcAttr)
		defer func() {
			if err != nil {
				r.settle()
			}
		}()
	}

	const patience = 100 * time.Millisecond
	began := time.Now()
	for pause := time.Millisecond; ; pause *= 2 {
		r.in = in
		err = r.startProcess()
		if err != nil && !isTextBusy(err) && r.tree.weaken(in.SysProcAttr) && reusable(&in) {
			continue
		}
		// A program file that is open for writing only because another
		// goroutine's child was forked in between is free once that child has
		// reached its exec (golang/go#22315).
		if err == nil || !isTextBusy(err) || time.Since(began)+pause > patience || !reusable(&in) {
			break
		}
		if !pauseFor(pause, own, bound) {
			break
		}
	}
	switch {
	case err == nil:
	case bound != nil && bound.Err() != nil && isTextBusy(err):
		return startError(bound)
	case own != nil && own.Err() != nil && isTextBusy(err):
		return own.Err()
	default:
		return err
	}
	r.proc, r.pid = r.in.Process, r.in.Process.Pid
	if !r.foreign {
		r.in.Stdin, r.in.Stdout, r.in.Stderr = nil, nil, nil
	}
	return nil
}

// startProcess is os/exec's Start for r.in, and what its tree needs besides.
func (r *run) startProcess() error {
	err := fork(r.in.Start, r.killOnParentExit)
	if err != nil {
		return err
	}
	r.proc = r.in.Process
	if err = r.contain(); err != nil {
		r.proc.Kill()
		if r.published != nil {
			close(r.published)
		}
		r.in.Wait()
	}
	return err
}

// foreignCancel returns the Cancel for a command whose context os/exec watches.
// It must not run before the Process, which it may refer to, is set.
func (r *run) foreignCancel(cancel func() error) func() error {
	if cancel == nil {
		return nil
	}
	r.published = make(chan struct{})
	if isDefaultCancel(cancel) {
		cancel = r.kill
	}
	return func() error {
		<-r.published
		return cancel()
	}
}

// startError is the error of a Start that ctx's end has prevented.
func startError(ctx context.Context) error {
	if cause := context.Cause(ctx); !same(cause, ctx.Err()) {
		return &contextError{cause: cause, ctxErr: ctx.Err()}
	}
	return ctx.Err()
}

// pauseFor sleeps for d. It returns false when a context ends before that.
func pauseFor(d time.Duration, own, bound context.Context) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-done(own):
	case <-done(bound):
	}
	return false
}

// done is ctx.Done, also for a nil ctx.
func done(ctx context.Context) <-chan struct{} {
	if ctx == nil {
		return nil
	}
	return ctx.Done()
}
