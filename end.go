package xexec

import (
	"errors"
	"fmt"
	"os"
	"time"
	"weak"

	"example.com/xexec/internal/exits"
	"example.com/xexec/internal/tree"
)

// This file is the one place that ends a command: whoever wants that, a caller, a
// context, a timer or a Shutdown, comes to send, ask or kill.

// An ending is what was done to end a run. It is guarded by run.mu.
type ending struct {
	registered []weak.Pointer[registration] // with contexts

	calling   int  // Cancels of the caller's that run
	holding   int  // those of them that were called while the process was alive: it stays unreaped
	cancelled bool // one has returned nil
	asking    bool // one was called, and did not fail, while the process was alive
	signals   int  // delivered to a live process

	terminated   bool  // Shutdown has asked, or cannot
	cannotAsk    error // the stop signal can never be sent
	killed       bool  // a kill of ours was delivered to a live process
	shutdownKill bool  // one on account of a Shutdown

	delay, grace *time.Timer
	delayKilled  bool // WaitDelay has killed the process
	cut          bool // the copying was cut
	cutShort     bool // by WaitDelay, when something was still copied
}

// A group is the tree of a run, and how far that is from its end. It is guarded by
// run.mu. What exit.seen is for a single process, over is for a tree: no signal is
// sent once it is set, and the leader is not reaped before. So the leader, alive or
// a zombie, pins the id of the group.
type group struct {
	launch     *tree.Launch // nil if the start needed none
	tree       *tree.Tree   // nil without SetTree
	leads      bool         // the process leads a (console) group
	asked      bool         // the stop signal has reached it: the rest has time
	killed     bool         // it has been killed as a whole
	restKilled bool         // on somebody's behalf, after the leader had left
	over       bool
	member     *os.Process // one of the rest, if it can be named
}

// send sends sig to the process, or to its tree, if that is alive, and never to
// another. It returns os.ErrProcessDone if nobody is. The caller holds r.mu.
func (r *run) send(sig os.Signal) error {
	err := r.sendTo(sig)
	if err == nil {
		r.ending.signals++
		if r.group.tree != nil {
			r.wake() // whoever lingers looks again
		}
	} else if r.group.tree == nil && r.look() {
		return os.ErrProcessDone // it has just exited; on Windows the error can be anything
	}
	return err
}

func (r *run) sendTo(sig os.Signal) error {
	g := &r.group
	switch {
	case g.tree == nil:
		if r.look() {
			return os.ErrProcessDone
		}
		return tree.SendTo(r.proc.OS, g.leads, sig)
	case g.over, r.look() && !r.restLeft():
		return os.ErrProcessDone
	case sig == os.Kill:
		err := g.tree.Kill()
		g.killed = g.killed || err == nil
		return err
	}
	return g.tree.Signal(sig)
}

// ask sends the stop signal, and lets whoever is stopped continue so that it can
// obey. In whose name, why tells, if that is not nil. The error is
// errors.ErrUnsupported if this system can never send it. The caller holds r.mu.
func (r *run) ask(why *reason) error {
	sig := r.stopSignal()
	err := r.send(sig)
	switch {
	case err == nil:
	case neverSent(sig, err) && !errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("xexec: stop signal %v: %w: %w", sig, errors.ErrUnsupported, err)
	default:
		return err
	}
	if continueSignal != nil && sig != os.Kill {
		r.send(continueSignal) // who has gone since needs none
	}
	if o := r.result(); o.askedFor == nil {
		o.askedFor = why
	}
	r.group.asked = true
	if r.group.tree != nil && !r.ours {
		r.armDelay(nil) // os/exec's WaitDelay does not reach the rest
	}
	return nil
}

func (r *run) stopSignal() os.Signal {
	if sig := r.settings.stopSignal; sig != nil {
		return sig
	}
	return defaultStopSignal
}

// kill kills the command in the name of why, which may be nil. It returns
// os.ErrProcessDone if that is not what ends it: the process, or the leader of a
// tree that nobody had asked to stop, has exited by itself. The caller holds r.mu.
func (r *run) kill(why *reason) error {
	sealed := r.sealed()
	err := r.send(os.Kill)
	switch {
	case err != nil:
		return err
	case sealed:
		return os.ErrProcessDone
	}
	r.ending.killed = true
	r.group.restKilled = r.group.restKilled || r.exit.seen
	if o := r.result(); o.killedFor == nil {
		o.killedFor = why
	}
	return nil
}

// sealed reports whether the command has come to its end by itself, save for what
// is killed without being asked. The caller holds r.mu.
func (r *run) sealed() bool { return r.look() && !r.patient() }

// patient reports whether those who outlive the leader are given time. The caller
// holds r.mu.
func (r *run) patient() bool {
	g := &r.group
	return g.tree != nil && !g.killed && (g.asked || r.ending.asking && r.delay != 0)
}

// restLeft reports whether somebody of the tree is left beside the leader. The
// caller holds r.mu.
func (r *run) restLeft() (left bool) {
	r.group.member, left = r.group.tree.Member()
	return left
}

// groupEnded takes a tree whose leader has exited a step further to its end, and
// reports whether that is reached. The caller holds r.mu.
func (r *run) groupEnded() bool {
	g := &r.group
	switch {
	case g.over:
		return true
	case g.tree == nil:
	case r.exit.known && !g.tree.NamedWithoutLeader():
		// The leader was reaped, and the group's id may be another's.
	case r.patient() && r.restLeft():
		return false
	default:
		// Also where nobody was seen: looking is no proof while they fork. Those
		// whom we may not kill are not waited for.
		err := g.tree.Kill()
		g.killed = true
		if r.restLeft() && err == nil {
			return false
		}
		g.tree.ReapOrphans()
	}
	g.over = true
	if g.tree != nil {
		r.cut() // nobody is left to write, whoever holds the pipes
	}
	return true
}

// linger waits until something may have changed in a tree that has outlived its
// leader, and returns true if cancel was closed first. The caller holds watching.
//
// It waits for the exit of one member. The pauses are for members that cannot be
// named, and for one that leaves the tree.
func (r *run) linger(cancel <-chan struct{}) (left bool) {
	const expecting, otherwise = 10 * time.Millisecond, 100 * time.Millisecond
	r.mu.Lock()
	member, killed, changed := r.group.member, r.group.killed, r.changed
	r.mu.Unlock()
	pause := otherwise
	if killed {
		pause = expecting
	}
	var exited <-chan struct{}
	if member != nil {
		if ch, stop, err := exits.Watch(member); err == nil {
			defer stop()
			exited = ch
		}
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-exited:
	case <-timer.C:
	case <-changed:
	case <-cancel:
		return true
	}
	return false
}

// closeGroup gives back what the tree and the start needed of the system. The
// leader is reaped. The caller holds r.mu.
func (r *run) closeGroup() {
	g := &r.group
	if g.tree != nil {
		g.tree.Close()
	}
	if g.launch != nil {
		g.launch.Reaped()
	}
}

// forsake gives up a process that was released: what becomes of it, and of its
// tree, is not for us to decide. The caller holds r.mu.
func (r *run) forsake() {
	if g := &r.group; g.tree != nil && !g.over {
		g.over = true
		g.tree.Abandon()
	}
}

// abandon gives back what can be given back when the Cmd was collected and the
// command is not over.
func (r *run) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase >= reaped {
		return
	}
	exited := r.look()
	r.forsake()
	if exited && r.group.launch != nil {
		r.group.launch.Reaped()
	}
}

// armDelay lets WaitDelay run, in the name of why, once. The caller holds r.mu.
func (r *run) armDelay(why *reason) {
	if r.delay != 0 && r.ending.delay == nil {
		r.result().delayFor = why
		r.ending.delay = time.AfterFunc(r.delay, r.delayExpired)
	}
}

// delayExpired ends the patience with a process that does not exit, and with pipes
// that stay open.
func (r *run) delayExpired() {
	r.mu.Lock()
	defer r.unlock()
	if r.phase == complete {
		return
	}
	e := &r.ending
	if r.phase < gone && !r.exit.known {
		o := r.result()
		switch err := r.kill(o.delayFor); {
		case err == nil:
			e.delayKilled = true
		case !errors.Is(err, os.ErrProcessDone):
			o.cancelErr = fmt.Errorf("exec: killing Cmd: %w", err)
		}
	}
	e.cutShort = !e.cut && !r.streams.Copied()
	r.cut()
	r.wake()
}

// armGrace lets the grace period run, in the name of why, once. The caller holds
// r.mu.
func (r *run) armGrace(why *reason) {
	if r.ending.grace == nil {
		r.result().graceFor = why
		r.ending.grace = time.AfterFunc(r.settings.gracePeriod, r.graceExpired)
	}
}

func (r *run) graceExpired() {
	r.mu.Lock()
	defer r.unlock()
	if r.phase < gone {
		o := r.result()
		if err := r.kill(o.graceFor); err != nil && !errors.Is(err, os.ErrProcessDone) {
			o.cancelErr = fmt.Errorf("exec: killing Cmd: %w", err)
		}
	}
}

// limitExceeded ends a command that has written more than it may.
func (r *run) limitExceeded() {
	r.mu.Lock()
	defer r.unlock()
	r.result().limited = true
	r.kill(&reason{ctxErr: ErrOutputLimit, cause: ErrOutputLimit}) // it may have exited
}

func (r *run) stopTimers() {
	for _, t := range []*time.Timer{r.ending.delay, r.ending.grace} {
		if t != nil {
			t.Stop()
		}
	}
}
