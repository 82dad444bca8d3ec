package xexec

import (
	"os"
	"time"

	"example.com/xexec/internal/child"
	"example.com/xexec/internal/tree"
)

// SetTree makes the command and all that it starts one unit, its tree.
//
// When the tree is over, the command is over: Wait, Run, Output and Shutdown then take
// what is in the output pipes and return, whoever else holds these open. So a daemon
// that the command has left behind does not make Output hang.
//
// Kill, Signal, Terminate, Shutdown and the end of a context reach the whole tree. They
// return nil if a live process of it got the signal, [os.ErrProcessDone] once all are
// gone. When the leader, the process that was started, exits by itself, the rest is
// killed at once. After a stop signal it has as much time as the leader: until
// Shutdown's ctx ends, or the grace period or WaitDelay is over; without those, no limit.
//
// It is off by default, as a terminal's Ctrl-C does not reach a tree. The package
// documentation, under Trees, says who is in it on which system, and what SysProcAttr
// may ask for. Start fails on a system without trees ([errors.ErrUnsupported]), and if
// SysProcAttr contradicts.
//
// The settings are methods because os/exec's struct has no fields for them. They are
// for before the start, and later change nothing.
func (c *Cmd) SetTree(whole bool) {
	c.set(func(s *settings) { s.wholeTree = whole })
}

// SetStopSignal sets the signal that [Cmd.Terminate] and [Cmd.Shutdown] send, and
// the end of a context if there is a grace period. The default, also for nil, is
// SIGTERM, which on Windows stands for CTRL_BREAK.
func (c *Cmd) SetStopSignal(sig os.Signal) {
	sig = child.StopSignal(sig) // calls a method of sig, so before set
	c.set(func(s *settings) { s.stopSignal = sig })
}

// SetGracePeriod makes the end of a context ask before it kills: it sends the stop
// signal, as [Cmd.Terminate] does, and kills what is left of the command, or of its
// tree, after d. It kills at once if d is 0, the default, or if this system can never
// send the stop signal. With a negative d, Start fails.
//
// A command that obeys was ended by the context: its error and [Cmd.Cause] say so, also
// if its exit status is zero. If Cancel is set, that is called instead; WaitDelay runs.
func (c *Cmd) SetGracePeriod(d time.Duration) {
	c.set(func(s *settings) { s.gracePeriod = d })
}

// SetOutputLimit makes [Cmd.Output], [Cmd.CombinedOutput] and their Context twins keep
// at most n bytes (of both streams together). A command that writes more is killed, with
// its tree. They then return the first n bytes and an error in which [errors.Is] finds
// [ErrOutputLimit] and [errors.As] the [*ExitError], unless it had just exited with
// zero. 0, the default, is no limit; a negative n is an error of Start.
func (c *Cmd) SetOutputLimit(n int) {
	c.set(func(s *settings) { s.outputLimit = n })
}

// SetKillOnParentExit makes the operating system kill the command when this process
// ends, however it ends.
//
// On Linux and FreeBSD it uses SysProcAttr.Pdeathsig; a signal that is set there is
// kept. It does not reach what the command has started (but see CLONE_NEWPID). The system
// forgets it when the command executes a set-user-ID program or, on Linux, changes its
// credentials. On Linux an execve(2) of this process kills it, too.
//
// Linux sends the signal when the thread that has forked ends ([golang/go#27505]). So
// such commands are forked on a few threads that are kept until the last of them is
// waited for. They do not inherit the namespaces, capabilities and priority of the
// caller's thread.
//
// On Windows it is a job object: of the tree with SetTree, otherwise of the process. On
// other systems Start returns an error that is [errors.ErrUnsupported].
//
// [golang/go#27505]: https://go.dev/issue/27505
func (c *Cmd) SetKillOnParentExit(kill bool) {
	c.set(func(s *settings) { s.killOnParentExit = kill })
}

// A TreeKind is what holds a tree together.
type TreeKind int

const (
	NoTree       TreeKind = iota // the command is one process
	ProcessGroup                 // descendants can leave
	Cgroup                       // Linux: none can, save by moving to another cgroup
	JobObject                    // Windows: none can
)

func (k TreeKind) String() string { return tree.Kind(k).String() } // the same numbers

// TreeKind returns what holds the command's tree together: NoTree before the start and
// without [Cmd.SetTree]. It never blocks.
func (c *Cmd) TreeKind() TreeKind {
	if r := current(c); r != nil {
		return TreeKind(r.child.Kind())
	}
	return NoTree
}
