package xexec

import (
	"io"
	"os/exec"
	"slices"

	"example.com/xexec/internal/cause"
	"example.com/xexec/internal/oscmd"
	"example.com/xexec/internal/stdio"
)

// FromStd returns cmd as a Cmd. It is the same object, started or not: what one
// side sets the other sees.
func FromStd(cmd *exec.Cmd) *Cmd { return (*Cmd)(cmd) }

// Std returns c as os/exec's type, for functions that take one. It is the same object.
// Such a function may set fields, make pipes and start the command; its I/O and its
// context are then os/exec's business, and everything else works as for a command that
// [Cmd.Start] started. Do not call os/exec's Wait on a command that is waited for here:
// it takes the exit status away from the others, and does not wait for the output of a
// tree. Where os/exec has started the command, ours may then wait for ever, and a copy
// of the struct is os/exec's.
func (c *Cmd) Std() *exec.Cmd { return (*exec.Cmd)(c) }

// Clone returns a command that is configured like c and has not been started,
// whatever became of c. It has c's context and settings, and shares with c what the
// fields point to.
//
// Nothing in it refers to c: Stdin, Stdout and Stderr are nil where c's were made
// by a method (StdinPipe, Output and so on), which cannot be told if os/exec has
// started c; and where Cancel is the default one, c.Terminate or c.Kill, the clone
// has its own. Any other Cancel still does to c what it does: set the clone's.
//
// Clone may be called while others wait for c, but not while somebody sets its
// fields, or is in Start.
func (c *Cmd) Clone() *Cmd {
	settings := settingsOf(c)
	d := FromStd(oscmd.Copy(c.Std()))
	if c.madeHere(d.Stdin) {
		d.Stdin = nil
	}
	for _, w := range []*io.Writer{&d.Stdout, &d.Stderr} {
		if c.madeHere(*w) {
			*w = nil
		}
	}
	switch cancels.Of(c.Std()).Kind {
	case oscmd.DefaultCancel:
		d.Cancel = defaultCancel(d)
	case oscmd.KillCancel:
		d.Cancel = d.Kill
	case oscmd.TerminateCancel:
		d.Cancel = d.Terminate
	}
	stateOf(d).settings = settings
	return d
}

// madeHere reports whether stream was set by Output, StdinPipe and the like, so
// that Clone must not copy it.
func (c *Cmd) madeHere(stream any) bool {
	switch f := stream.(type) {
	case *stdio.Capture, *stdio.PrefixSuffix:
		return true
	case io.Closer:
		return slices.ContainsFunc(oscmd.ChildEnds(c.Std()), func(c io.Closer) bool { return cause.Same(c, f) })
	}
	return false
}
