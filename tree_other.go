//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd && !windows

package xexec

import (
	"os"
	"syscall"
)

// There are no trees where the exit of a process cannot be seen without reaping
// it, or where there are no processes.
type tree struct{}

func newTree(*syscall.SysProcAttr) (*tree, error) { return nil, unsupported("SetTree") }
func adoptTree() *tree                            { return nil }

func (*tree) weaken(*syscall.SysProcAttr) bool    { return false }
func (*tree) kind() TreeKind                      { return NoTree }
func (*tree) signal(*os.Process, os.Signal) error { return nil }
func (*tree) resume(*os.Process) error            { return nil }
func (*tree) kill(*os.Process) error              { return nil }
func (*tree) alive(*os.Process) bool              { return false }
func (*tree) outlastsLeader() bool                { return false }
func (*tree) close()                              {}
