package child

import (
	"errors"
	"fmt"
	"os"
	"reflect"

	"example.com/xexec/internal/tree"
)

// Send sends sig to the process, or to its tree, if that is alive. It returns
// os.ErrProcessDone if nobody is.
func (c *Child) Send(sig os.Signal) error {
	err := c.send(sig)
	if err == nil && !reflect.ValueOf(sig).IsZero() { // signal 0 only probes
		c.delivered++
	}
	return err
}

// Delivered returns how many signals have reached a live process.
func (c *Child) Delivered() int { return c.delivered }

func (c *Child) send(sig os.Signal) error {
	if c.status.nobodys { // its own handle knows
		if exited, _ := c.proc.Exited(); exited {
			return os.ErrProcessDone
		}
		return c.proc.OS.Signal(sig)
	}
	if c.tree != nil && !c.forsaken {
		return c.sendToTree(sig)
	}
	if c.Look() {
		return os.ErrProcessDone
	}
	err := tree.SendTo(c.proc.OS, c.Pid(), c.leads, sig)
	if err != nil && c.Look() {
		return os.ErrProcessDone // it has just exited; on Windows the error can be anything
	}
	return err
}

func (c *Child) sendToTree(sig os.Signal) error {
	if c.over || c.Look() && !c.restLeft() {
		return os.ErrProcessDone
	}
	if sig != os.Kill {
		return c.tree.Signal(sig)
	}
	err := c.tree.Kill()
	if err == nil {
		c.killed = true
		c.changed() // whoever waits looks at shorter intervals now
	}
	return err
}

// Ask sends the stop signal sig, and lets whoever is stopped continue so that it
// can obey. If this system can never send it, the error is errors.ErrUnsupported.
func (c *Child) Ask(sig os.Signal) error {
	if err := c.Send(sig); err != nil {
		if neverSent(sig, err) && !errors.Is(err, errors.ErrUnsupported) {
			err = fmt.Errorf("xexec: stop signal %v: %w: %w", sig, errors.ErrUnsupported, err)
		}
		return err
	}
	c.asked = true
	if continueSignal != nil && sig != os.Kill {
		c.Send(continueSignal) // who has gone since needs none
	}
	return nil
}

// End kills the process, or its tree, on somebody's behalf. It returns
// os.ErrProcessDone if that is not what ends it: the process, or the leader of a
// tree whose rest has no time, had already exited.
func (c *Child) End() error {
	sealed := c.Sealed()
	err := c.send(os.Kill)
	switch {
	case err == nil && sealed:
		return os.ErrProcessDone
	case err == nil && !c.exited && c.Kind() == tree.ProcessGroup:
		// That has reached some of the group. The leader may be another user's.
		if e := c.proc.OS.Signal(os.Kill); errors.Is(e, os.ErrPermission) && !c.Look() {
			err = e
		}
	}
	if err == nil {
		c.delivered++
		c.ended = true
		c.restKilled = c.restKilled || c.exited
	}
	return err
}

// DiedOfEnd reports whether End is what has ended the process, or the rest of its
// tree. If the process has ended before, its status is its own. Where that is not known,
// because somebody else has taken it, it is enough that End has killed.
func (c *Child) DiedOfEnd() bool {
	return c.ended && (c.status.state == nil || diedOfKill(c.status.state)) || c.restKilled
}

// StopSignal returns sig, or what has its name if it is of a caller's own type: that
// may lead to the Cmd, and its methods are not for us to call later.
func StopSignal(sig os.Signal) os.Signal {
	if sig == nil || reflect.TypeOf(sig) == reflect.TypeOf(os.Kill) {
		return sig
	}
	return unknownSignal(fmt.Sprint(sig))
}

// An unknownSignal is one that no system has.
type unknownSignal string

func (s unknownSignal) String() string { return string(s) }
func (unknownSignal) Signal()          {}
