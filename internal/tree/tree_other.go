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

type parent struct{}

func newTree(*syscall.SysProcAttr, bool) (*Tree, error)           { return nil, Unsupported("SetTree") }
func Adopt(*os.Process, *syscall.SysProcAttr) *Tree               { return nil }
func LeadsGroup(*syscall.SysProcAttr) bool                        { return false }
func isTextBusy(error) bool                                       { return false }
func (*Launch) dieWithParent() error                              { return Unsupported("SetKillOnParentExit") }
func (*Launch) onThread(f func() bool, _ []<-chan struct{}) error { f(); return nil }
func (*Launch) contain(*os.Process) error                         { return nil }
func (*parent) reaped()                                           {}
func (*Tree) weaken(*syscall.SysProcAttr, error) bool             { return false }
func (*Tree) abort()                                              {}
func (*Tree) Kind() Kind                                          { return None }
func (*Tree) NamedWithoutLeader() bool                            { return false }
func (*Tree) Signal(os.Signal) error                              { return os.ErrProcessDone }
func (*Tree) Kill() error                                         { return os.ErrProcessDone }
func (*Tree) Member() (*os.Process, bool)                         { return nil, false }
func (*Tree) ReapOrphans()                                        {}
func (*Tree) Close()                                              {}
func (*Tree) Abandon()                                            {}
