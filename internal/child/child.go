// Package child keeps the process of a command, and the tree that it leads if it is
// to have one, from the start until its status was taken: it sends signals, sees
// the exit, ends the tree and reaps.
//
// It promises that a signal reaches this process or its tree and nobody else: it is
// sent only while the exit has not been seen (of a tree: while its end has not), and
// the process is reaped only after that. So the id that is signalled is our child's. One
// that was released, or is no child of ours, is left to the handle of os.Process.
//
// The caller has one lock for each Child and holds it in every method but Watch and
// Here, which block, and OS, Pid and Kind, which need none. Between two calls it may
// let others have the lock. The other methods do not wait for the child; Finish and
// Reap, which take the steps from the exit to the status, may take up to 0.2 s for an
// orphan while the system tidies up.
//
// What differs by system lies below, in the packages exits and tree.
package child

import (
	"os"
	"sync"
	"syscall"
	"time"

	"example.com/xexec/internal/exits"
	"example.com/xexec/internal/tree"
)

// A Child is a process and its tree. The leader is the process, the rest are the
// others of its tree.
type Child struct {
	proc    *exits.Process
	lock    sync.Locker // the caller's
	changed func()      // is called, with the lock held, when there may be a step to take
	launch  *tree.Launch
	tree    *tree.Tree // nil without SetTree
	leads   bool       // it leads a group of its own (on Windows, a console group)
	status  status

	exited       bool // the leader's exit was seen, or nobody can see it any more
	unobservable bool // it cannot be seen before the leader is reaped

	// Of a tree:
	asked      bool        // the stop signal has reached it: the rest has time
	given      bool        // GiveTime has given the rest time
	killed     bool        // it was killed as a whole
	restKilled bool        // on somebody's behalf, when the leader had left
	over       bool        // nobody is left, or forsaken; no signal is sent any more
	forsaken   bool        // the tree was let go of before it was over
	member     *os.Process // one of the rest, if it can be named

	delivered int  // how many signals have reached a live process
	ended     bool // a kill on somebody's behalf has
}

// New returns the Child for a process that Start has started with attr. The lock is
// the caller's.
func New(s *Started, attr *syscall.SysProcAttr, lock sync.Locker, changed func()) *Child {
	c := &Child{proc: exits.Of(s.OS), lock: lock, changed: changed, launch: s.launch, leads: tree.LeadsGroup(attr)}
	c.status.wait = c.proc.Reap
	if s.launch != nil {
		c.tree = s.launch.Tree()
	}
	return c
}

// Adopt returns the Child for a process that os/exec has started with attr, with
// the tree that it leads if it is to have one. Wait is os/exec's, which a goroutine calls
// if mayBlock returns true; reaped is called with what it returns.
func Adopt(p *os.Process, attr *syscall.SysProcAttr, wholeTree bool, lock sync.Locker, changed func(),
	wait func() (*os.ProcessState, error), mayBlock func() bool, reaped func(*os.ProcessState, error)) *Child {
	c := New(&Started{OS: p}, attr, lock, changed)
	if wholeTree {
		c.tree = tree.Adopt(p, attr)
	}
	c.status.wait, c.status.mayBlock, c.status.reaped = wait, mayBlock, reaped
	return c
}

// OS returns the process.
func (c *Child) OS() *os.Process { return c.proc.OS }

// Pid returns its id, also after os.Process.Release. It needs no lock.
func (c *Child) Pid() int { return c.proc.Pid() }

// Kind returns what holds the tree together. It needs no lock.
func (c *Child) Kind() tree.Kind {
	if c.tree == nil {
		return tree.None
	}
	return c.tree.Kind()
}

// Watch waits for the leader's exit or, after that, for a change in the rest of
// its tree, and notes what it has seen. It returns false if cancel was closed first. After
// the exit, or while a goroutine reaps, it also returns true when changed is closed. One
// goroutine at a time may be in it, and it does not hold the lock.
func (c *Child) Watch(changed, cancel <-chan struct{}) bool {
	c.lock.Lock()
	exited, reaping := c.exited, c.status.reaping
	member, killed := c.member, c.killed
	c.lock.Unlock()
	if exited {
		return linger(member, killed, changed, cancel)
	}
	if !reaping {
		exited, err := c.proc.Wait(cancel)
		c.lock.Lock()
		defer c.lock.Unlock()
		c.note(exited, err)
		return exited || err != nil
	}
	select {
	case <-changed: // by the goroutine that reaps
		return true
	case <-cancel:
		return false
	}
}

// Exited reports whether the leader's exit was seen.
func (c *Child) Exited() bool { return c.exited }

// Empty reports whether the process had a tree, of which nobody is left.
func (c *Child) Empty() bool { return c.tree != nil && c.over && !c.forsaken }

// Here calls f with a descriptor that can be read once the leader has exited, on a
// thread that f may block; with -1 if there is none, or enough threads are blocked.
// The caller does not hold the lock.
func (c *Child) Here(f func(exited int)) { c.proc.Here(f) }

// linger waits until something may have changed in a tree that has outlived its
// leader. It waits for the exit of one member. The pauses are for members that
// cannot be named, and for one that leaves the tree.
func linger(member *os.Process, killed bool, changed, cancel <-chan struct{}) bool {
	const expecting, otherwise = 10 * time.Millisecond, 100 * time.Millisecond
	pause := otherwise
	if killed {
		pause = expecting
	}
	calledOff := false
	wait := func(exited <-chan struct{}) {
		select {
		case <-exited:
		case <-time.After(pause):
		case <-changed:
		case <-cancel:
			calledOff = true
		}
	}
	if member == nil || exits.Watch(member, wait) != nil {
		wait(nil)
	}
	return !calledOff
}

// note notes what a look at the leader, or a wait for it, has found.
func (c *Child) note(exited bool, err error) {
	if !c.exited && (exited || err != nil) {
		c.exited, c.unobservable = exited, err != nil
		c.changed()
	}
}

// Look reports whether the leader has exited, without reaping it.
func (c *Child) Look() bool {
	if !c.exited && !c.status.known {
		c.note(c.proc.Exited())
	}
	return c.exited
}

// Finish takes the steps that are due from the leader's exit to the end of its tree,
// and reports whether that is reached. The rest has time if it was asked to stop, or if
// GiveTime says so.
func (c *Child) Finish() bool {
	if !c.exited {
		if c.unobservable && !c.status.reaping {
			c.reapInBackground()
		}
		return false
	}
	if c.over {
		return true
	}
	switch {
	case c.tree == nil:
	case c.status.known && c.tree.Kind() == tree.ProcessGroup:
		// The leader was reaped, and the group's id may be another's.
	case c.restHasTime() && c.restLeft():
		return false
	default:
		// Also where nobody was seen: members that fork can hide. Those whom we may
		// not kill are not waited for.
		err := c.tree.Kill()
		c.killed = true
		if c.restLeft() && err == nil {
			return false
		}
		c.tree.ReapOrphans()
	}
	c.over = true
	return true
}

// GiveTime says whether the rest has time although it was not asked to stop by Ask. The
// caller sees to it that this ends.
func (c *Child) GiveTime(given bool) { c.given = given }

func (c *Child) restHasTime() bool { return c.tree != nil && !c.killed && (c.asked || c.given) }

// restLeft reports whether somebody of the tree is left beside the leader.
func (c *Child) restLeft() (left bool) {
	c.member, left = c.tree.Member()
	return left
}

// Sealed looks, and reports whether the leader has exited and the rest has no time: what
// happens later is not why the command ended.
func (c *Child) Sealed() bool { return c.Look() && !c.restHasTime() }

// Abandon gives back what can be given back of a process that nobody will wait for
// any more. Nothing is killed.
func (c *Child) Abandon() {
	if c.status.known {
		return
	}
	exited := c.Look()
	if exited && c.tree != nil && !c.restLeft() {
		c.tree.Close()
	}
	c.forsake()
	if exited && c.launch != nil {
		c.launch.Reaped()
	}
}

// forsake lets go of a tree whose leader nobody knows any more.
func (c *Child) forsake() {
	if c.tree != nil && !c.over {
		c.over, c.forsaken = true, true
		c.tree.Abandon()
	}
}
