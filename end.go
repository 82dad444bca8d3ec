package xexec

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"example.com/xexec/internal/cause"
	"example.com/xexec/internal/tree"
)

// Contexts, timers and Shutdown ask and end a command here. Kill and Signal only send.

// An ending is what was done to end a run. It is guarded by run.mu.
type ending struct {
	watches []cause.Watch // of contexts

	calling   bool // a Cancel of the caller's runs
	holding   bool // and was called while the process was alive, which stays unreaped
	cancelled bool // one has returned nil
	asking    bool // one, called while the process was alive, runs, has succeeded or has signalled

	shutdownAsked bool  // Shutdown has asked, or cannot
	unaskable     error // why the stop signal can never be sent

	delayTimer, graceTimer *time.Timer
	delayKilled            bool // WaitDelay has killed the process
	cut                    bool // the copying was cut
	cutShort               bool // by WaitDelay, when something was still copied
}

// setAsking notes whether a Cancel asks, or has asked: if so, the rest of the tree has
// WaitDelay. The caller holds r.mu.
func (r *run) setAsking(asking bool) {
	r.ending.asking = asking
	r.child.GiveTime(asking && r.delay != 0)
}

// ask sends the stop signal, in the name of why, if that is not nil. The error is
// errors.ErrUnsupported if this system can never send it. The caller holds r.mu.
func (r *run) ask(why *cause.Reason) error {
	sig := r.settings.stopSignal
	if sig == nil {
		sig = syscall.SIGTERM // which on Windows stands for CTRL_BREAK
	}
	if err := r.child.Ask(sig); err != nil {
		return err
	}
	if o := r.outcome(); o.askedFor == nil {
		o.askedFor = why
	}
	if !r.ours && r.child.Kind() != tree.None {
		r.armDelay(nil) // os/exec's WaitDelay does not reach the rest
	}
	return nil
}

// end kills the command in the name of why, which may be nil. It returns
// os.ErrProcessDone if it had already ended. The caller holds r.mu.
func (r *run) end(why *cause.Reason) error {
	err := r.child.End()
	if o := r.outcome(); err == nil && o.endedFor == nil {
		o.endedFor = why
	}
	return err
}

// tryEnd is end for one who is not there to hear of an error: Wait reports it.
func (r *run) tryEnd(why *cause.Reason) {
	if err := r.end(why); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.outcome().cancelErr = fmt.Errorf("exec: killing Cmd: %w", err)
	}
}

// limitExceeded ends a command, if it was started, that has written more than it may.
func (r *run) limitExceeded() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.unlock()
	r.outcome().limited = true
	r.end(cause.OutputLimit) // it may have exited
	r.cut()                  // whoever else has the pipes
}

// armDelay lets WaitDelay run, in the name of why, once. The caller holds r.mu.
func (r *run) armDelay(why *cause.Reason) {
	if r.delay != 0 && arm(&r.ending.delayTimer, r.delay, r.delayExpired) {
		r.outcome().delayFor = why
	}
}

// arm sets a timer that is not set yet.
func arm(t **time.Timer, d time.Duration, expired func()) bool {
	if *t != nil {
		return false
	}
	*t = time.AfterFunc(d, expired)
	return true
}

// delayExpired kills what still runs, and cuts the copying.
func (r *run) delayExpired() {
	r.mu.Lock()
	defer r.unlock()
	if r.phase == complete {
		return
	}
	if r.phase == running {
		o := r.outcome()
		before := r.child.Delivered()
		r.tryEnd(o.delayFor)
		r.ending.delayKilled = r.child.Delivered() > before
	}
	r.ending.cutShort = !r.ending.cut && !r.streams.Copied()
	r.cut()
	r.wake()
}

// graceExpired kills what is left.
func (r *run) graceExpired() {
	r.mu.Lock()
	defer r.unlock()
	if r.phase == running {
		r.tryEnd(r.outcome().graceFor)
	}
}

// abandon gives back what can be given back of a command that nobody has any more.
func (r *run) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.child.Abandon()
}
