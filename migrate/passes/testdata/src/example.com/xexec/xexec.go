// Package xexec has the API of example.com/xexec for these tests.
package xexec

import (
	"context"
	"io"
	"os"
	"os/exec"
	"time"
)

type Cmd exec.Cmd

type Error = exec.Error
type ExitError = exec.ExitError

var (
	ErrDot       = exec.ErrDot
	ErrNotFound  = exec.ErrNotFound
	ErrWaitDelay = exec.ErrWaitDelay

	ErrOutputLimit error
)

func LookPath(file string) (string, error)                                { panic(0) }
func Command(name string, arg ...string) *Cmd                             { panic(0) }
func CommandContext(ctx context.Context, name string, arg ...string) *Cmd { panic(0) }
func FromStd(cmd *exec.Cmd) *Cmd                                          { panic(0) }

func (c *Cmd) String() string                     { panic(0) }
func (c *Cmd) Environ() []string                  { panic(0) }
func (c *Cmd) Start() error                       { panic(0) }
func (c *Cmd) Run() error                         { panic(0) }
func (c *Cmd) Wait() error                        { panic(0) }
func (c *Cmd) Output() ([]byte, error)            { panic(0) }
func (c *Cmd) CombinedOutput() ([]byte, error)    { panic(0) }
func (c *Cmd) StdinPipe() (io.WriteCloser, error) { panic(0) }
func (c *Cmd) StdoutPipe() (io.ReadCloser, error) { panic(0) }
func (c *Cmd) StderrPipe() (io.ReadCloser, error) { panic(0) }

func (c *Cmd) Std() *exec.Cmd                                            { panic(0) }
func (c *Cmd) Clone() *Cmd                                               { panic(0) }
func (c *Cmd) StartContext(ctx context.Context) error                    { panic(0) }
func (c *Cmd) RunContext(ctx context.Context) error                      { panic(0) }
func (c *Cmd) OutputContext(ctx context.Context) ([]byte, error)         { panic(0) }
func (c *Cmd) CombinedOutputContext(ctx context.Context) ([]byte, error) { panic(0) }
func (c *Cmd) WaitContext(ctx context.Context) error                     { panic(0) }
func (c *Cmd) TryWait() (done bool, err error)                           { panic(0) }
func (c *Cmd) Done() <-chan struct{}                                     { panic(0) }
func (c *Cmd) Kill() error                                               { panic(0) }
func (c *Cmd) Signal(sig os.Signal) error                                { panic(0) }
func (c *Cmd) Terminate() error                                          { panic(0) }
func (c *Cmd) Shutdown(ctx context.Context) error                        { panic(0) }
func (c *Cmd) Cause() error                                              { panic(0) }
func (c *Cmd) Pid() int                                                  { panic(0) }
func (c *Cmd) SetTree(on bool)                                           { panic(0) }
func (c *Cmd) SetStopSignal(sig os.Signal)                               { panic(0) }
func (c *Cmd) SetGracePeriod(d time.Duration)                            { panic(0) }
func (c *Cmd) SetOutputLimit(n int64)                                    { panic(0) }
func (c *Cmd) SetKillOnParentExit(on bool)                               { panic(0) }
