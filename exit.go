package xexec

import (
	"sync"
	"sync/atomic"
)

// awaitExit blocks until the process has exited, without reaping it, or until
// cancel is closed first: it then returns false. The caller leads.
//
// A wait that nobody can cut short blocks the caller's thread, which is the
// fastest way, as long as few do. All others share one poller.
func (r *run) awaitExit(cancel <-chan struct{}) bool {
	if seen, unobservable := r.exitSeen(false); seen || unobservable {
		return true
	}
	var err error
	if cancel == nil && takeThread() {
		defer giveThread()
		growStack()
		if r.claimReap() {
			r.reapWith(&r.in)
			return true
		}
		_, err = observe(r.proc, r.pid, true)
	} else {
		switch pollExit(r.proc, r.pid, cancel) {
		case polled:
		case cancelled:
			return false
		case notPolled:
			if cancel == nil {
				_, err = observe(r.proc, r.pid, true)
				break
			}
			select {
			case <-r.observer.start(r):
				err = r.observer.err
			case <-cancel:
				return false
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.exited = true
	} else if !r.exited { // which another may have seen, and reaped it since
		r.unobservable = true
	}
	return true
}

// claimReap reports whether the caller, who leads, is to wait for the exit and
// reap the process in one call, and if so, leaves that to it alone. It spares a
// system call between the exit and the result.
//
// Signals then have no lock against the reaping, and need none: what is signalled
// is the pidfd, which is never another process's. That is not enough for a tree,
// whose leader is reaped last, nor for a Cancel of the caller's, which may use the
// process id and so is not to be called when that is free. And it must be certain
// that os/exec's Wait does nothing but this.
func (r *run) claimReap() bool {
	r.steps.Lock()
	defer r.steps.Unlock()
	if r.phase != running || r.tree != nil || r.ownCancel || r.foreign || r.stdPipes || r.reapedElsewhere() || !hasPidfd(r.proc) {
		return false
	}
	r.phase, r.reaped = claimed, make(chan struct{})
	return true
}

// A pollResult is how a wait with the poller has ended.
type pollResult int

const (
	polled    pollResult = iota // the process has exited
	cancelled                   // the wait was called off
	notPolled                   // there is no poller for it
)

// threads counts the waits that block a thread of their own although they could
// have used the poller. There are never more than maxThreads.
var threads atomic.Int32

func takeThread() bool {
	if threads.Add(1) <= maxThreads {
		return true
	}
	giveThread()
	return false
}

func giveThread() { threads.Add(-1) }

// growStack makes the goroutine's stack large enough for all that follows the
// exit. Otherwise many a goroutine that does nothing but wait would have to copy
// it just then, which takes as long as the reaping does.
//
//go:noinline
func growStack() {
	var room [4 << 10]byte
	touch(&room)
}

//go:noinline
func touch(*[4 << 10]byte) {}

// An observer is a goroutine that watches for the exit in the place of waiters
// who may leave before it, where there is no poller. It cannot be called off.
type observer struct {
	once sync.Once
	done chan struct{}
	err  error
}

func (o *observer) start(r *run) <-chan struct{} {
	o.once.Do(func() {
		o.done = make(chan struct{})
		go func() {
			defer close(o.done)
			_, o.err = observe(r.proc, r.pid, true)
		}()
	})
	return o.done
}
