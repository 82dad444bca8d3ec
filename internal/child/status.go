package child

import (
	"errors"
	"os"
)

// A status is how the leader's status is taken, and what it is.
type status struct {
	wait     func() (*os.ProcessState, error) // takes it: exits.Process.Reap, or os/exec's Wait
	mayBlock func() bool                      // that may not return at once; nil for never
	reaped   func(*os.ProcessState, error)    // is told; or nil

	reaping bool // a goroutine takes it, or has done so
	known   bool // it was taken, by us or by somebody else, or nobody can tell us
	nobodys bool // it is not ours to take, and the process may run: released, or no child
	state   *os.ProcessState
	err     error // without a state
}

// Reap takes the status of a process that is gone, and reports whether it has it:
// where that may take longer, a goroutine does it, and tells.
func (c *Child) Reap() bool {
	s := &c.status
	switch {
	case s.known:
	case s.reaping:
		return false
	case s.mayBlock != nil && s.mayBlock():
		c.reapInBackground()
		return false
	default:
		c.take(s.wait())
	}
	if c.tree != nil {
		c.tree.Close()
	}
	if c.launch != nil && !s.nobodys {
		c.launch.Reaped()
	}
	return true
}

// reapInBackground lets a goroutine take the status: where the exit cannot be seen
// before, and where the wait may block.
func (c *Child) reapInBackground() {
	c.status.reaping = true
	go func() {
		state, err := c.status.wait()
		c.lock.Lock()
		defer c.lock.Unlock()
		c.take(state, err)
	}()
}

// take notes what the wait has returned.
func (c *Child) take(state *os.ProcessState, err error) {
	c.Reaped(state, err)
	if c.status.reaped != nil {
		c.status.reaped(state, err)
	}
	c.changed()
}

// Reaping reports whether the status is being taken, or was.
func (c *Child) Reaping() bool { return c.status.reaping || c.status.known }

// Reaped notes what taking the status has returned.
func (c *Child) Reaped(state *os.ProcessState, err error) {
	s := &c.status
	c.exited, s.known, s.state = true, true, state
	if state == nil {
		// An error says that it runs, and is no child of ours, or was released.
		_, look := c.proc.Exited()
		s.err, s.nobodys = err, look != nil && !errors.Is(look, errors.ErrUnsupported)
		if s.nobodys {
			c.forsake()
		}
	}
}

// Status returns the status that was taken, or the error of taking it: somebody else
// has reaped the process, or it was released. Known is false until it was taken, or lost.
func (c *Child) Status() (state *os.ProcessState, err error, known bool) {
	return c.status.state, c.status.err, c.status.known
}
