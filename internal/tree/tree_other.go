//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd && !windows

package tree

import (
	"os"
	"syscall"
)

// There is no Tree where the exit of a process cannot be seen without reaping it, or
// where there are no processes.
type Tree struct {
	leader *os.Process
	pid    int
}

func newTree(*syscall.SysProcAttr) (*Tree, error)   { return nil, unsupported("SetTree") }
func Adopt(*os.Process, *syscall.SysProcAttr) *Tree { return nil }
func LeadsGroup(*syscall.SysProcAttr) bool          { return false }
func (*Tree) Kind() Kind                            { return None }
func (*Tree) Signal(os.Signal) error                { return os.ErrProcessDone }
func (*Tree) Kill() error                           { return os.ErrProcessDone }
func (*Tree) Member() (*os.Process, bool)           { return nil, false }
func (*Tree) Close()                                {}
func (*Tree) Abandon()                              {}
