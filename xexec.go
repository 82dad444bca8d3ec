package xexec

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"

	"example.com/xexec/internal/cause"
	"example.com/xexec/internal/oscmd"
	"example.com/xexec/internal/stdio"
)

// Cmd is an external command being prepared or run.
//
// It is os/exec's struct under another name: [Cmd.Std] and [FromStd] convert
// without copying, and the fields are those of [exec.Cmd] and mean the same:
//
//	Path         string               the program to run; the only field that must be set
//	Args         []string             the arguments, the program's name first
//	Env          []string             the environment, as "key=value"; nil for our own
//	Dir          string               the working directory; "" for our own
//	Stdin        io.Reader            what the command reads; nil for the null device
//	Stdout       io.Writer            where its output goes; nil for the null device
//	Stderr       io.Writer            likewise for its error output
//	ExtraFiles   []*os.File           descriptors 3 and up of the command (not on Windows)
//	SysProcAttr  *syscall.SysProcAttr attributes of the operating system
//	Process      *os.Process          the process, once started
//	ProcessState *os.ProcessState     how it exited, once waited for
//	Err          error                the error of looking up the program, if any
//	Cancel       func() error         what is called when CommandContext's context ends
//	WaitDelay    time.Duration        how long Wait waits after that, or after the exit
//
// A Cmd is started once. The fields, the Set methods and the pipe methods are for
// before that, and for one goroutine. Any number of goroutines may call the others
// (Wait, Signal, Shutdown and so on) at the same time, as often as they like, also
// while one is in Start.
//
// A copy of the struct made before the start is another command, without what the Set
// methods have set: see [Cmd.Clone]. A copy made later is the same run. A struct may be
// assigned over when its command is complete, or could not be started.
type Cmd exec.Cmd

// Error is returned by [LookPath] and by Start for a name that is not an
// executable. It is os/exec's type.
type Error = exec.Error

// ExitError reports an unsuccessful exit by a command. It is os/exec's type.
type ExitError = exec.ExitError

// Errors of os/exec, the same values. Test for them with [errors.Is].
var (
	// ErrDot says that a path lookup found a program in the current directory.
	ErrDot = exec.ErrDot
	// ErrNotFound says that a path search found no executable file.
	ErrNotFound = exec.ErrNotFound
	// ErrWaitDelay is returned by Wait if the command succeeded but its output
	// had to be cut off when WaitDelay expired.
	ErrWaitDelay = exec.ErrWaitDelay
)

// ErrOutputLimit is the error of a command that wrote more than [Cmd.SetOutputLimit]
// allows. Test for it with [errors.Is].
var ErrOutputLimit error = cause.ErrOutputLimit

var (
	errNotStarted     = errors.New("exec: not started")
	errAlreadyStarted = errors.New("exec: already started")
)

var unbound context.Context // in the place of StartContext's, where there is none

// LookPath is [exec.LookPath].
func LookPath(file string) (string, error) { return exec.LookPath(file) }

// Command returns a Cmd that runs the named program with the given arguments,
// as [exec.Command] does.
func Command(name string, arg ...string) *Cmd {
	return FromStd(exec.Command(name, arg...))
}

// CommandContext is [Command] with a context: if it ends before the command does, Cancel
// is called, which by default kills it, and WaitDelay runs. It panics if ctx is nil.
//
// As under os/exec, the error of a command that was ended this way is its exit status.
// [Cmd.Cause] tells why it was ended, the error of [Cmd.RunContext] both. No goroutine
// watches ctx, unless its Done channel is not package context's.
func CommandContext(ctx context.Context, name string, arg ...string) *Cmd {
	c := FromStd(exec.CommandContext(ctx, name, arg...))
	c.Cancel = defaultCancel(c)
	return c
}

// String returns a human-readable description of c, as [exec.Cmd.String] does.
func (c *Cmd) String() string { return c.Std().String() }

// Environ returns a copy of the environment in which the command would be run,
// as [exec.Cmd.Environ] does.
func (c *Cmd) Environ() []string { return c.Std().Environ() }

// Start starts the command and does not wait for it. The process is forked on the
// caller's goroutine and thread (but see [Cmd.SetKillOnParentExit]). The errors are
// os/exec's, and a failure leaves no process, descriptor or goroutine behind.
//
// If it succeeds, c.Process is set, and the command should be waited for: it stays a
// zombie, holding its process id and group id, until somebody does.
func (c *Cmd) Start() error {
	_, err := c.start(unbound, false)
	return err
}

// StartContext starts the command like [Cmd.Start], and ends it when ctx ends: by its
// Cancel, if that is set, else by killing it, or as [Cmd.SetGracePeriod] says.
// WaitDelay then runs. [CommandContext]'s context stays in force beside ctx. It panics
// if ctx is nil.
//
// If ctx ends the command, the error of Wait, RunContext, OutputContext and
// CombinedOutputContext tells how it exited and why: [errors.As] finds the
// [*ExitError], unless it exited with zero, and [errors.Is] ctx.Err() and
// [context.Cause] of ctx. A command that ends by itself just before ctx does gives its
// plain result. A ctx that has already ended starts nothing; the error is the same,
// without an exit.
func (c *Cmd) StartContext(ctx context.Context) error {
	_, err := c.start(notNil(ctx), false)
	return err
}

// Run starts the command and waits for it. See [Cmd.Start] and [Cmd.Wait].
func (c *Cmd) Run() error { return c.run(unbound) }

// RunContext runs the command like [Cmd.Run], and ends it when ctx ends. See
// [Cmd.StartContext] for how, and for its errors. To end only the waiting, see
// [Cmd.WaitContext].
func (c *Cmd) RunContext(ctx context.Context) error {
	return c.run(notNil(ctx))
}

// notNil panics if ctx is nil, as os/exec's CommandContext does.
func notNil(ctx context.Context) context.Context {
	if ctx == nil {
		panic("nil Context")
	}
	return ctx
}

// run starts the command and waits for it. As it does both, output that goes to memory is
// copied here where the system allows (Linux), without a goroutine.
func (c *Cmd) run(ctx context.Context) error {
	r, err := c.start(ctx, true)
	if err != nil {
		return err
	}
	mayCut := r.delay != 0 // else it is cut only when the process has exited
	r.child.Here(func(exitFD int) { r.streams.CopyHere(exitFD, mayCut) })
	return c.Wait()
}

// Output runs the command and returns its standard output, also if it fails. If
// c.Stderr was nil, [exec.ExitError.Stderr] then holds the first and the last 32 KiB of
// its standard error. [Cmd.SetOutputLimit] bounds the output.
func (c *Cmd) Output() ([]byte, error) { return c.output(unbound) }

// OutputContext returns the command's output like [Cmd.Output], and ends the
// command when ctx ends. See [Cmd.StartContext] for how, and for its errors.
func (c *Cmd) OutputContext(ctx context.Context) ([]byte, error) {
	return c.output(notNil(ctx))
}

func (c *Cmd) output(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil {
		return nil, errors.New("exec: Stdout already set")
	}
	stdout := c.newCapture()
	c.Stdout = stdout
	if c.Stderr == nil {
		c.Stderr = new(stdio.PrefixSuffix)
	}
	err := c.run(ctx)
	return stdout.Take(), err
}

// CombinedOutput runs the command and returns its standard output and standard error, as
// they were written, also if it fails. [Cmd.SetOutputLimit] bounds them.
func (c *Cmd) CombinedOutput() ([]byte, error) { return c.combinedOutput(unbound) }

// CombinedOutputContext is [Cmd.CombinedOutput], and ends the command when ctx ends. See
// [Cmd.StartContext] for how, and for its errors.
func (c *Cmd) CombinedOutputContext(ctx context.Context) ([]byte, error) {
	return c.combinedOutput(notNil(ctx))
}

func (c *Cmd) combinedOutput(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil {
		return nil, errors.New("exec: Stdout already set")
	}
	if c.Stderr != nil {
		return nil, errors.New("exec: Stderr already set")
	}
	both := c.newCapture()
	c.Stdout, c.Stderr = both, both
	err := c.run(ctx)
	return both.Take(), err
}

// newCapture returns what collects the output, and ends a command that writes more
// than the limit.
func (c *Cmd) newCapture() *stdio.Capture {
	return stdio.NewCapture(int64(settingsOf(c).outputLimit), func() { current(c).limitExceeded() })
}

// StdinPipe returns a pipe to the command's standard input, as [exec.Cmd.StdinPipe] does.
// Wait closes it once the command has exited; close it earlier to end the input.
func (c *Cmd) StdinPipe() (io.WriteCloser, error) { return c.Std().StdinPipe() }

// StdoutPipe returns a pipe that is connected to the command's standard output when it
// starts. What the command wrote can be read before, while and after Wait returns; then
// comes [io.EOF]. Wait does not wait for a reader: it moves what is left in the pipe
// (at most what a pipe holds) to memory and closes the descriptor.
//
// The reader has the methods of [os.File] but is not one. Another Cmd whose Stdin it is
// reads from the pipe itself; what that leaves can be read only before Wait.
func (c *Cmd) StdoutPipe() (io.ReadCloser, error) {
	return c.outputPipe(c.Std().StdoutPipe())
}

// StderrPipe is [Cmd.StdoutPipe] for the standard error.
func (c *Cmd) StderrPipe() (io.ReadCloser, error) {
	return c.outputPipe(c.Std().StderrPipe())
}

// outputPipe puts a Reader in the place of the file that os/exec has made, in
// what the caller gets and in the struct's list of what Wait closes.
func (c *Cmd) outputPipe(f io.ReadCloser, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, err
	}
	r := stdio.NewReader(f.(*os.File))
	oscmd.ReplacePipe(c.Std(), f, r.End())
	return r, nil
}
