package xexec

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"weak"

	"example.com/xexec/internal/cause"
	"example.com/xexec/internal/child"
	"example.com/xexec/internal/oscmd"
	"example.com/xexec/internal/stdio"
	"example.com/xexec/internal/tree"
)

// A starting is one call of Start: what it needs of the command, which it does not
// read any more once the run is published.
type starting struct {
	cmd        *exec.Cmd       // a copy, from which each attempt is made
	own, bound context.Context // CommandContext's, StartContext's, or nil
	cancel     canceler
	settings   settings
	open       func(io.Reader, io.Writer, io.Writer) (*stdio.Streams, error)
	streams    *stdio.Streams
	launch     *tree.Launch // nil if the process needs none
}

// start is Start, and StartContext if bound is not nil. If here is true, the caller
// is to call copyHere.
func (c *Cmd) start(bound context.Context, here bool) (*run, error) {
	s := stateOf(c)
	settings, ok := s.claim(c)
	if !ok {
		return nil, errAlreadyStarted
	}
	b := &starting{
		cmd:      oscmd.Copy(c.Std()),
		own:      oscmd.Context(c.Std()),
		bound:    bound,
		cancel:   canceler{cancels.Of(c.Std()), c.Cancel},
		settings: settings,
		open:     stdio.Open,
	}
	if here {
		b.open = stdio.OpenHere
	}
	child, parent := oscmd.Pipes(c.Std())
	var p *os.Process
	defer func() { // also if a method of a context panics
		for _, f := range child {
			f.Close()
		}
		if p == nil {
			for _, f := range parent {
				stdio.AbortEnd(f)
			}
			s.startFailed(c)
		}
	}()
	delay := c.WaitDelay
	stderr, _ := c.Stderr.(*stdio.PrefixSuffix) // Output has set it
	p, err := b.start()
	if err != nil {
		if c.Err == nil {
			c.Err = b.cmd.Err // "exec: no command", which String shows
		}
		return nil, err
	}
	r := newRun(c, p, b.launch, settings)
	r.ours, r.bound, r.delay = true, bound != nil, delay
	r.streams, r.stderr, r.pipes = b.streams, stderr, parent
	s.started(c, r)
	r.streams.Copy(r.copyEnded)
	b.watch(r)
	return r, nil
}

func newRun(c *Cmd, p *os.Process, launch *tree.Launch, settings settings) *run {
	r := &run{
		cmd:      weak.Make(c),
		settings: settings,
		watching: make(chan struct{}, 1),
		changed:  make(chan struct{}),
		done:     make(chan struct{}),
	}
	r.child = child.New(p, launch, tree.LeadsGroup(c.SysProcAttr), &r.mu, r.wake)
	return r
}

// watch lets the contexts end r.
func (b *starting) watch(r *run) {
	if b.own != nil && (b.cancel.kind != oscmd.NoCancel || r.delay != 0 || r.settings.gracePeriod > 0) {
		r.watch(b.own, b.cancel)
	}
	if b.bound != nil {
		with := b.cancel
		if with.kind == oscmd.NoCancel {
			with.kind = oscmd.DefaultCancel
		}
		r.watch(b.bound, with)
	}
}

// start starts the process. Path lookup, environment, the checks of the command
// and the fork are os/exec's: it gets a copy of the command, with a file for each
// of Stdin, Stdout and Stderr and with neither Cancel nor WaitDelay, so that it
// has nothing to start a goroutine for. If it fails, nothing is left.
func (b *starting) start() (p *os.Process, err error) {
	if b.cmd.Err != nil || b.cmd.Path == "" || b.cmd.Cancel != nil && b.own == nil && b.bound == nil {
		return nil, b.cmd.Start() // says what is wrong
	}
	if b.own != nil {
		select {
		case <-b.own.Done():
			return nil, b.ended()
		default:
		}
	}
	b.cmd.Cancel, b.cmd.WaitDelay = nil, 0
	if b.bound != nil && b.bound.Err() != nil {
		return nil, b.ended()
	}
	if err := b.settings.check(); err != nil {
		return nil, err
	}
	if b.settings.wholeTree || b.settings.killOnParentExit {
		b.launch, err = tree.Prepare(b.cmd.SysProcAttr, b.cmd.Dir, b.settings.wholeTree, b.settings.killOnParentExit)
		if err != nil {
			return nil, err
		}
		defer func() {
			if p == nil {
				b.launch.Abort()
			}
		}()
	}
	b.streams, err = b.open(b.cmd.Stdin, b.cmd.Stdout, b.cmd.Stderr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if p == nil {
			b.streams.Abort()
		}
	}()
	b.cmd.Stdin, b.cmd.Stdout, b.cmd.Stderr = b.streams.Stdin, b.streams.Stdout, b.streams.Stderr
	if p, err = child.Start(b.cmd, b.launch, cause.Done(b.own), cause.Done(b.bound)); err != nil {
		if err == child.ErrCanceled {
			err = b.ended()
		}
		return nil, err
	}
	b.streams.Started()
	return p, nil
}

// ended is the error of a Start that the end of a context has prevented.
func (b *starting) ended() error {
	if b.bound != nil && b.bound.Err() != nil {
		return cause.Of(b.bound).Error(nil, nil)
	}
	return cmp.Or(b.own.Err(), context.Canceled)
}

// check refuses settings that make no sense.
func (s settings) check() error {
	if s.outputLimit < 0 {
		return fmt.Errorf("xexec: SetOutputLimit: negative limit %d", s.outputLimit)
	}
	if s.gracePeriod < 0 {
		return fmt.Errorf("xexec: SetGracePeriod: negative time %v", s.gracePeriod)
	}
	return nil
}

// adopt makes the run of a process that os/exec's Start, or the caller's own code,
// has put into c. What was made for its standard I/O, and its context, are
// os/exec's business. The caller holds the state's lock.
func adopt(c *Cmd, settings settings) *run {
	r := newRun(c, c.Process, nil, settings)
	r.delay = c.WaitDelay
	var t *tree.Tree
	if settings.wholeTree {
		t = tree.Adopt(c.Process, c.SysProcAttr)
	}
	r.child.Adopt(t, r.waitStd, func() bool { return r.cmd.Value() == nil || oscmd.WaitMayBlock(r.cmd.Value().Std()) }, r.stdReaped)
	r.kept = r.result()
	if state := c.ProcessState; state != nil { // os/exec's Wait was called, too
		r.child.Reaped(state, nil)
		if !state.Success() {
			r.kept.stdErr = &ExitError{ProcessState: state}
		}
	}
	return r
}
