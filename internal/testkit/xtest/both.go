package xtest

import (
	"context"
	"io"
	"os/exec"
	"testing"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
)

// A Command is what the commands of os/exec and xexec have in common; Std
// gives access to the fields.
type Command interface {
	CombinedOutput() ([]byte, error)
	Environ() []string
	Output() ([]byte, error)
	Run() error
	Start() error
	StderrPipe() (io.ReadCloser, error)
	StdinPipe() (io.WriteCloser, error)
	StdoutPipe() (io.ReadCloser, error)
	String() string
	Wait() error
	Std() *exec.Cmd
}

// A stdCommand is a Command of os/exec.
type stdCommand struct{ *exec.Cmd }

// Std returns the command itself.
func (c stdCommand) Std() *exec.Cmd { return c.Cmd }

// An xCommand is a Command of xexec.
type xCommand struct{ *xexec.Cmd }

// A Package is os/exec or xexec, so that a test is written once and held
// against both.
type Package struct {
	Name           string
	Command        func(name string, arg ...string) Command
	CommandContext func(ctx context.Context, name string, arg ...string) Command
	From           func(*exec.Cmd) Command // a literal or a copy
	LookPath       func(file string) (string, error)
}

// Std and X are the two packages.
var (
	Std = Package{
		Name:    "std",
		Command: func(name string, arg ...string) Command { return stdCommand{exec.Command(name, arg...)} },
		CommandContext: func(ctx context.Context, name string, arg ...string) Command {
			return stdCommand{exec.CommandContext(ctx, name, arg...)}
		},
		From:     func(c *exec.Cmd) Command { return stdCommand{c} },
		LookPath: exec.LookPath,
	}
	X = Package{
		Name:    "xexec",
		Command: func(name string, arg ...string) Command { return xCommand{xexec.Command(name, arg...)} },
		CommandContext: func(ctx context.Context, name string, arg ...string) Command {
			return xCommand{xexec.CommandContext(ctx, name, arg...)}
		},
		From:     func(c *exec.Cmd) Command { return xCommand{(*xexec.Cmd)(c)} },
		LookPath: xexec.LookPath,
	}
)

// PackageNamed is how a helper command is told what to use.
func PackageNamed(name string) Package {
	if name == Std.Name {
		return Std
	}
	return X
}

// Helper returns a command that runs the named helper command.
func (p Package) Helper(t testing.TB, name string, args ...string) Command {
	t.Helper()
	exe, argv := testkit.NeedHelper(t, name, args...)
	return p.Command(exe, argv...)
}

// HelperContext is Helper with a context.
func (p Package) HelperContext(ctx context.Context, t testing.TB, name string, args ...string) Command {
	t.Helper()
	exe, argv := testkit.NeedHelper(t, name, args...)
	return p.CommandContext(ctx, exe, argv...)
}

// Both runs a test that must hold with os/exec and with xexec.
func Both(t *testing.T, test func(t *testing.T, p Package)) {
	for _, p := range []Package{Std, X} {
		t.Run(p.Name, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)
			test(t, p)
		})
	}
}
