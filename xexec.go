package xexec

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"weak"
)

// Cmd is an external command being prepared or run.
//
// It is os/exec's struct under another name: the fields are those of
// [exec.Cmd] and mean the same, and [Cmd.Std] and [FromStd] convert without
// copying. Like there, a Cmd is started once. Unlike there, what follows the
// start (Wait, Signal, Shutdown and so on) may be called by any number of
// goroutines at the same time, as often as they like, also while another
// goroutine is in Start. What prepares it may not, as there: the fields, the
// Set methods, the pipes.
//
// A struct copy made before the start is a command of its own. It has the
// fields, and not what methods set: use [Cmd.Clone] to carry that over. A copy
// made after the start has the process and not its standard I/O: wait for the
// original. A struct may be assigned over when its command is complete, or could
// not be started; it is the new command from then on.
type Cmd exec.Cmd

// Error is returned by [LookPath] and by Start for a name that is not an
// executable. It is os/exec's type.
type Error = exec.Error

// ExitError reports an unsuccessful exit by a command. It is os/exec's type.
type ExitError = exec.ExitError

// Errors of os/exec, the same values. Test for them with [errors.Is].
var (
	// ErrDot says that a path lookup found an executable in the current
	// directory, through "." in the path or implicitly.
	ErrDot = exec.ErrDot

	// ErrNotFound says that a path search found no executable file.
	ErrNotFound = exec.ErrNotFound

	// ErrWaitDelay is returned by Wait if the command succeeded but its output
	// had to be cut off when WaitDelay expired.
	ErrWaitDelay = exec.ErrWaitDelay
)

var (
	errNotStarted     = errors.New("exec: not started")
	errAlreadyStarted = errors.New("exec: already started")
)

// LookPath is [exec.LookPath].
func LookPath(file string) (string, error) { return exec.LookPath(file) }

// Command returns a Cmd that runs the named program with the given arguments,
// as [exec.Command] does.
func Command(name string, arg ...string) *Cmd {
	return FromStd(exec.Command(name, arg...))
}

// CommandContext is like [Command] with a context: if it ends before the
// command does, Cancel is called, which by default kills the command, and
// WaitDelay starts to run. It panics if ctx is nil.
//
// As under os/exec, a command that was ended this way gives its exit status as
// error; [Cmd.Cause] tells why it was ended, and [Cmd.RunContext] returns an
// error that tells both. Unlike under os/exec, no goroutine watches ctx, and a
// command that is never waited for leaks none: see [context.AfterFunc], which
// needs one only for a ctx with a Done channel that is not package context's.
func CommandContext(ctx context.Context, name string, arg ...string) *Cmd {
	if ctx == nil {
		panic("nil Context")
	}
	held := &heldContext{ctx}
	c := FromStd(exec.CommandContext(held, name, arg...))
	stateOf(c).ctx = weak.Make(held)
	c.Cancel = defaultCancel(c)
	return c
}

// String returns a human-readable description of c, as [exec.Cmd.String] does.
func (c *Cmd) String() string { return c.Std().String() }

// Environ returns a copy of the environment in which the command would be run,
// as [exec.Cmd.Environ] does.
func (c *Cmd) Environ() []string { return c.Std().Environ() }

// Start starts the command and does not wait for it. The process is forked on
// the caller's goroutine and thread.
//
// If it succeeds, c.Process is set, and the command should be waited for: it
// stays a zombie, holding its process id and group id, until somebody does.
//
// A failure leaves nothing behind: no process, no descriptor, no goroutine. The
// errors are os/exec's. A program file that some process still has open for
// writing (ETXTBSY, golang/go#22315), as happens by accident when another
// goroutine forks while the file is written, is tried again for 0.1 s.
func (c *Cmd) Start() error { return c.start(unbound) }

// StartContext is like [Cmd.Start], and ends the command when ctx ends, as if
// it had been made with [CommandContext]: through Cancel if that is set, else by
// killing it, and after WaitDelay by killing it in any case. A context given to
// CommandContext stays in force beside it. StartContext panics if ctx is nil.
//
// A ctx that has already ended starts nothing. If ctx ends the command, Wait's
// error (and that of RunContext, OutputContext and CombinedOutputContext) is
// both: [errors.As] finds the [*ExitError], if the command's exit was not a
// success, and [errors.Is] finds [context.Cause] of ctx as well as ctx.Err. A
// command that fails by itself just before ctx ends gives its plain *ExitError.
func (c *Cmd) StartContext(ctx context.Context) error {
	if ctx == nil {
		panic("nil Context")
	}
	return c.start(ctx)
}

// Run starts the command and waits for it. See [Cmd.Start] and [Cmd.Wait].
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// RunContext is like [Cmd.Run] with a context that is bound to the command at
// its start. See [Cmd.StartContext] for what its errors are.
func (c *Cmd) RunContext(ctx context.Context) error {
	if err := c.StartContext(ctx); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the command and returns its standard output.
//
// If the command fails and c.Stderr was nil, [ExitError.Stderr] holds the first
// and the last 32 KiB of its standard error.
func (c *Cmd) Output() ([]byte, error) { return c.output((*Cmd).Run) }

// OutputContext is like [Cmd.Output] with a context that is bound to the
// command at its start. See [Cmd.StartContext] for what its errors are.
func (c *Cmd) OutputContext(ctx context.Context) ([]byte, error) {
	return c.output(func(c *Cmd) error { return c.RunContext(ctx) })
}

func (c *Cmd) output(run func(*Cmd) error) ([]byte, error) {
	if c.Stdout != nil {
		return nil, errors.New("exec: Stdout already set")
	}
	var stdout capture
	c.Stdout = &stdout
	if c.Stderr == nil {
		stderr := new(prefixSuffix)
		c.Stderr = stderr
		s := stateOf(c)
		s.prepare(c, func() { s.stderr = stderr })
	}
	err := run(c)
	return stdout.take(), err
}

// CombinedOutput runs the command and returns its standard output and standard
// error, in the order in which they were written.
func (c *Cmd) CombinedOutput() ([]byte, error) { return c.combinedOutput((*Cmd).Run) }

// CombinedOutputContext is like [Cmd.CombinedOutput] with a context that is
// bound to the command at its start. See [Cmd.StartContext] for what its errors
// are.
func (c *Cmd) CombinedOutputContext(ctx context.Context) ([]byte, error) {
	return c.combinedOutput(func(c *Cmd) error { return c.RunContext(ctx) })
}

func (c *Cmd) combinedOutput(run func(*Cmd) error) ([]byte, error) {
	if c.Stdout != nil {
		return nil, errors.New("exec: Stdout already set")
	}
	if c.Stderr != nil {
		return nil, errors.New("exec: Stderr already set")
	}
	var both capture
	c.Stdout, c.Stderr = &both, &both
	err := run(c)
	return both.take(), err
}

// StdinPipe returns a pipe that is connected to the command's standard input
// when it starts, as [exec.Cmd.StdinPipe] does. Wait closes it once the command
// has exited; close it earlier to make the command see the end of its input.
func (c *Cmd) StdinPipe() (io.WriteCloser, error) {
	w, err := c.Std().StdinPipe()
	if err != nil {
		return nil, err
	}
	stateOf(c).addPipe(c, pipe{child: c.Stdin.(*os.File), parent: w})
	return w, nil
}

// StdoutPipe returns a pipe that is connected to the command's standard output
// when it starts.
//
// Nothing is lost by when Wait is called: what the command wrote before it
// exited can be read before, while and after Wait returns, then the reader sees
// [io.EOF]. For that, Wait moves what is left in the pipe (at most what a pipe
// holds) to memory and closes the descriptor; it does not wait for a reader.
//
// The reader has the methods of [os.File] but is not one. Given to another
// Cmd as Stdin it passes its descriptor on, as a file does.
func (c *Cmd) StdoutPipe() (io.ReadCloser, error) {
	r, err := c.Std().StdoutPipe()
	if err != nil {
		return nil, err
	}
	return stateOf(c).addReader(c, r, c.Stdout), nil
}

// StderrPipe is [Cmd.StdoutPipe] for the standard error.
func (c *Cmd) StderrPipe() (io.ReadCloser, error) {
	r, err := c.Std().StderrPipe()
	if err != nil {
		return nil, err
	}
	return stateOf(c).addReader(c, r, c.Stderr), nil
}
