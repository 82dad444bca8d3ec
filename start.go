package xexec

import (
	"context"
	"fmt"
	"os/exec"
	"weak"

	"example.com/xexec/internal/cause"
	"example.com/xexec/internal/child"
	"example.com/xexec/internal/oscmd"
	"example.com/xexec/internal/stdio"
)

// start is Start, and StartContext if bound is not nil. If here is true, the caller
// is to call streams.CopyHere.
func (c *Cmd) start(bound context.Context, here bool) (begun *run, err error) {
	settings := settingsOf(c)
	if !oscmd.Claim(c.Std()) {
		return nil, errAlreadyStarted
	}
	in := oscmd.Copy(c.Std()) // the struct is not read any more once the run is published
	own, cancel := oscmd.Context(c.Std()), cancels.Of(c.Std())
	ends, parent := oscmd.ChildEnds(c.Std()), oscmd.ParentEnds(c.Std())
	var started *child.Started
	defer func() { // also if a method of a context panics
		for _, f := range ends {
			f.Close()
		}
		switch {
		case started == nil:
			for _, f := range parent {
				stdio.AbortEnd(f)
			}
			stateOf(c).startFailed(c)
		case here && begun == nil:
			started.Streams.CopyHere(-1, false)
		}
	}()
	started, err = startProcess(in, own, bound, settings)
	if err != nil {
		if c.Err == nil && in.Err != nil {
			c.Err = in.Err // "exec: no command", which String shows
		}
		return nil, err
	}
	// From here on the child runs.
	r := newRun(c, settings)
	r.ours, r.bound, r.delay, r.pipes = true, bound != nil, c.WaitDelay, parent
	r.stderr, _ = c.Stderr.(*stdio.PrefixSuffix) // Output has set it
	r.streams = started.Streams
	r.child = child.New(started, c.SysProcAttr, &r.mu, r.wake)
	stateOf(c).started(c, r)
	r.streams.Copy(r.copyEnded, here)
	if own != nil && (cancel.Kind != oscmd.NoCancel || r.delay != 0 || settings.gracePeriod > 0) {
		r.watch(own, cancel)
	}
	if bound != nil {
		if cancel.Kind == oscmd.NoCancel {
			cancel.Kind = oscmd.DefaultCancel
		}
		r.watch(bound, cancel)
	}
	return r, nil
}

func newRun(c *Cmd, settings settings) *run {
	return &run{
		cmd:      weak.Make(c),
		settings: settings,
		states:   1,
		watching: make(chan struct{}, 1),
	}
}

// startProcess starts the process. Path lookup, environment, the checks of the
// command and the fork are os/exec's: it gets a copy of the command, with a file for
// each of Stdin, Stdout and Stderr and with neither Cancel nor WaitDelay, so that it
// has nothing to start a goroutine for.
func startProcess(in *exec.Cmd, own, bound context.Context, s settings) (*child.Started, error) {
	if in.Err != nil || in.Path == "" || in.Cancel != nil && own == nil && bound == nil {
		return nil, in.Start() // says what is wrong
	}
	// The error of a context that has prevented the start.
	ended := func() error {
		if cause.Ended(bound) {
			return cause.Of(bound).Error(nil, nil)
		}
		return cause.Of(own).Err
	}
	switch {
	case cause.Ended(own), cause.Ended(bound):
		return nil, ended()
	case s.outputLimit < 0:
		return nil, fmt.Errorf("xexec: SetOutputLimit: negative limit %d", s.outputLimit)
	case s.gracePeriod < 0:
		return nil, fmt.Errorf("xexec: SetGracePeriod: negative time %v", s.gracePeriod)
	}
	in.Cancel, in.WaitDelay = nil, 0
	started, err := child.Start(child.Spec{
		Cmd:              in,
		WholeTree:        s.wholeTree,
		KillOnParentExit: s.killOnParentExit,
		Ended:            [2]<-chan struct{}{cause.Done(own), cause.Done(bound)},
	})
	if err == child.ErrCanceled {
		err = ended()
	}
	return started, err
}

// adopt makes the run of a process that os/exec's Start, or the caller's own code,
// has put into c. What was made for its standard I/O, and its context, are
// os/exec's business. The caller holds the state's lock.
func adopt(c *Cmd, settings settings) *run {
	r := newRun(c, settings)
	r.delay, r.streams = c.WaitDelay, new(stdio.Streams)
	r.child = child.Adopt(c.Process, c.SysProcAttr, settings.wholeTree, &r.mu, r.wake,
		r.waitStd, func() bool { return oscmd.WaitMayBlock(r.std()) }, r.stdReaped)
	r.kept = r.outcome()
	return r
}
