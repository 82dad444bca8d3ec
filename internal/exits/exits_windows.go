package exits

import (
	"cmp"
	"math"
	"os"
	"sync"

	"golang.org/x/sys/windows"
)

// Every wait blocks a thread: its own, or that of a goroutine if it can be called
// off. The handle keeps the process id from being used again.
const maxThreads = math.MaxInt32

func (p *Process) exited() (bool, error) { return p.waitFor(0) }

func (p *Process) block() (bool, error) { return p.waitFor(windows.INFINITE) }

func (p *Process) waitFor(timeout uint32) (exited bool, err error) {
	e := p.OS.WithHandle(func(handle uintptr) {
		var event uint32
		event, err = windows.WaitForSingleObject(windows.Handle(handle), timeout)
		exited = err == nil && event == windows.WAIT_OBJECT_0
	})
	switch e {
	case nil:
	case os.ErrProcessDone:
		return true, nil
	default:
		return false, e
	}
	return exited, os.NewSyscallError("WaitForSingleObject", err)
}

func (p *Process) poll(cancel <-chan struct{}) outcome { return waitHandle(p.OS, cancel) }

// waitHandle waits in a goroutine for p's handle and for an event object, which is
// set when cancel is closed. So the goroutine ends in any case.
func waitHandle(p *os.Process, cancel <-chan struct{}) (o outcome) {
	p.WithHandle(func(handle uintptr) {
		event, err := windows.CreateEvent(nil, 1, 0, nil)
		if err != nil {
			return
		}
		defer windows.CloseHandle(event)
		over := make(chan outcome, 1)
		go func() {
			handles := []windows.Handle{windows.Handle(handle), event}
			switch which, err := windows.WaitForMultipleObjects(handles, false, windows.INFINITE); {
			case err != nil:
				over <- notPolled
			case which == windows.WAIT_OBJECT_0:
				over <- sawExit
			default:
				over <- calledOff
			}
		}()
		select {
		case o = <-over:
		case <-cancel:
			windows.SetEvent(event)
			o = <-over
		}
	})
	return o
}

func watch(p *os.Process) (<-chan struct{}, func(), error) {
	if gone, err := Of(p).exited(); gone || err != nil {
		return nil, nil, cmp.Or(err, os.ErrProcessDone)
	}
	gone, cancel, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		if waitHandle(p, cancel) == sawExit {
			close(gone)
		}
	}()
	return gone, sync.OnceFunc(func() {
		close(cancel)
		<-over
	}), nil
}

func (p *Process) reap() (*os.ProcessState, error) { return p.OS.Wait() }
