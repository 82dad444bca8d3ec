package xexec

import (
	"runtime"
	"sync"
	"syscall"
)

// dieWithParent makes attr such that the process is killed when its parent ends.
func dieWithParent(attr *syscall.SysProcAttr) error {
	if attr.Pdeathsig == 0 {
		attr.Pdeathsig = syscall.SIGKILL
	}
	return nil
}

// fork calls start, which forks; for a process that is to die with its parent on
// a thread that does not end before the process does, because for Linux that
// thread is the parent (golang/go#27505).
func fork(start func() error, dieWithParent bool) error {
	if !dieWithParent {
		return start()
	}
	forkThread.Do(func() { go forkForever() })
	result := make(chan error)
	forks <- func() { result <- start() }
	return <-result
}

var (
	forkThread sync.Once
	forks      = make(chan func())
)

// forkForever never returns, and so never gives its thread back.
func forkForever() {
	runtime.LockOSThread()
	for f := range forks {
		f()
	}
}

func (r *run) contain() error { return nil }
