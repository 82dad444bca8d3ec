package xexec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
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
	streams    *stdio.Streams
	launch     *tree.Launch // nil if the process needs none
}

// start is Start, and StartContext if bound is not nil. Output's stderr is for its
// ExitError.
func (c *Cmd) start(bound context.Context, stderr *stdio.PrefixSuffix) error {
	s := stateOf(c)
	settings, ok := s.claim(c)
	if !ok {
		return errAlreadyStarted
	}
	b := &starting{
		cmd:      oscmd.Copy(c.Std()),
		own:      oscmd.Context(c.Std()),
		bound:    bound,
		cancel:   cancelerOf(c),
		settings: settings,
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
	p, err := b.start()
	if err != nil {
		if c.Err == nil {
			c.Err = b.cmd.Err // "exec: no command", which String shows
		}
		return err
	}
	r := newRun(c, p, b.launch, settings)
	r.ours, r.bound, r.delay = true, bound != nil, delay
	r.streams, r.stderr, r.pipes = b.streams, stderr, parent
	s.started(c, r)
	r.streams.Copy(r.copyEnded)
	b.register(r)
	return nil
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

// register lets the contexts end r.
func (b *starting) register(r *run) {
	if b.own != nil && (b.cancel.kind != noCancel || r.delay != 0 || r.settings.gracePeriod > 0) {
		r.register(b.own, b.cancel)
	}
	if b.bound != nil {
		with := b.cancel
		if with.kind == noCancel {
			with.kind = byDefault
		}
		r.register(b.bound, with)
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
			return nil, cmp.Or(b.own.Err(), context.Canceled)
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
	b.streams, err = stdio.Open(b.cmd.Stdin, b.cmd.Stdout, b.cmd.Stderr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if p == nil {
			b.streams.Abort()
		}
	}()
	b.cmd.Stdin, b.cmd.Stdout, b.cmd.Stderr = b.streams.Stdin, b.streams.Stdout, b.streams.Stderr
	if p, err = b.fork(); err != nil {
		return nil, err
	}
	b.streams.Started()
	return p, nil
}

// fork forks, and tries again for a while if a program file is open for writing.
// That is so by accident when another goroutine's child was forked in between, and
// has not reached its exec (golang/go#22315).
func (b *starting) fork() (*os.Process, error) {
	const patience = 100 * time.Millisecond
	began := time.Now()
	for pause := time.Millisecond; ; pause *= 2 {
		p, err := b.try()
		if err == nil || !isTextBusy(err) || time.Since(began)+pause > patience {
			return p, err
		}
		if !b.pause(pause) {
			return nil, b.ended()
		}
	}
}

// try calls os/exec's Start, on the thread and with the attributes that the
// launch wants.
func (b *starting) try() (*os.Process, error) {
	if b.launch == nil {
		return b.startCopy(b.cmd.SysProcAttr)
	}
	p, err := b.launch.Start(b.startCopy, doneOf(b.own), doneOf(b.bound))
	if errors.Is(err, tree.ErrCanceled) {
		err = b.ended()
	}
	return p, err
}

func (b *starting) startCopy(attr *syscall.SysProcAttr) (*os.Process, error) {
	in := *b.cmd
	in.SysProcAttr = attr
	err := in.Start()
	if err == nil && in.Process == nil {
		err = context.Canceled // its context says that it has ended, and has no error
	}
	return in.Process, err
}

// ended is the error of a Start that the end of a context has prevented.
func (b *starting) ended() error {
	if b.bound != nil && b.bound.Err() != nil {
		return cause.Of(b.bound).Error(nil, nil)
	}
	return b.own.Err()
}

// pause waits for d. It returns false if a context ends before that.
func (b *starting) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-doneOf(b.own):
	case <-doneOf(b.bound):
	}
	return false
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

// doneOf is ctx.Done, also for a nil ctx.
func doneOf(ctx context.Context) <-chan struct{} {
	if ctx == nil {
		return nil
	}
	return ctx.Done()
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
