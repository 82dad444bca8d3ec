package exits

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// maxThreads is how many waits may block a thread each, in WaitForSingleObject. All
// others share the threads of the system's pool.
const maxThreads = 16

// A self is a handle of our own. os.Process.Wait closes the one that os.Process has,
// as Release does, and nothing tells the two apart afterwards: a process that
// somebody else has waited for has exited, one that was released may run.
type self struct {
	// handle is open until the status was taken, or the Process is collected. It is
	// an os.Process because that closes its handle only when nobody uses it.
	handle *os.Process
	reaped atomic.Bool
}

// open opens a second handle of the process, whose id is its own as long as the first
// one is open. Where that is denied, the first one has to do.
func (s *self) open(p *os.Process) {
	s.handle = p
	p.WithHandle(func(uintptr) {
		if own, err := os.FindProcess(p.Pid); err == nil {
			s.handle = own
		}
	})
}

func (p *Process) exited() (bool, error) {
	if exited, err := p.waitFor(0); exited || err != nil {
		return exited, err
	}
	released := p.OS.WithHandle(func(uintptr) {})
	if released == nil {
		return false, nil
	}
	if exited, err := p.waitFor(0); exited || err != nil {
		return exited, err // os.Process.Wait was called in between
	}
	return false, released
}

func (p *Process) block() (bool, error) {
	if exited, err := p.exited(); exited || err != nil {
		return exited, err
	}
	return p.waitFor(windows.INFINITE)
}

func (p *Process) waitFor(timeout uint32) (exited bool, err error) {
	e := p.self.handle.WithHandle(func(handle uintptr) {
		var event uint32
		event, err = windows.WaitForSingleObject(windows.Handle(handle), timeout)
		exited = err == nil && event == windows.WAIT_OBJECT_0
	})
	switch {
	case e == os.ErrProcessDone || e != nil && p.self.reaped.Load():
		return true, nil
	case e != nil:
		return false, e
	}
	return exited, os.NewSyscallError("WaitForSingleObject", err)
}

func (p *Process) poll(cancel <-chan struct{}) (o outcome) {
	p.self.handle.WithHandle(func(handle uintptr) {
		w, err := newPoolWait(handle)
		if err != nil {
			return
		}
		defer w.stop()
		if o = p.awaitPool(w, cancel); o != notPolled {
			return
		}
		select {
		case <-w.exited:
			o = sawExit
		case <-cancel:
			o = calledOff
		}
	})
	return o
}

// awaitPool waits until the pool calls back. Meanwhile it looks now and then itself.
func (p *Process) awaitPool(w *poolWait, cancel <-chan struct{}) outcome {
	select {
	case <-poolReady:
		return notPolled
	default:
	}
	looks := time.NewTicker(5 * time.Millisecond)
	defer looks.Stop()
	for {
		select {
		case <-poolReady:
			return notPolled
		case <-w.exited:
			return sawExit
		case <-cancel:
			return calledOff
		case <-looks.C:
			if exited, _ := p.exited(); exited {
				return sawExit
			}
		}
	}
}

// watch waits for a handle of its own, so that p may be released. It tells of nothing
// before the program's init functions are over.
func watch(p *os.Process) (<-chan struct{}, func(), error) {
	var own windows.Handle
	var err error
	e := p.WithHandle(func(handle uintptr) {
		us := windows.CurrentProcess()
		err = windows.DuplicateHandle(us, windows.Handle(handle), us, &own, windows.SYNCHRONIZE, false, 0)
	})
	switch {
	case e != nil:
		return nil, nil, e
	case err != nil:
		return nil, nil, os.NewSyscallError("DuplicateHandle", err)
	}
	w, err := newPoolWait(uintptr(own))
	if err != nil {
		windows.CloseHandle(own)
		return nil, nil, err
	}
	return w.exited, sync.OnceFunc(func() {
		w.stop()
		windows.CloseHandle(own)
	}), nil
}

// reap takes the status. That somebody else has taken it is told as it is on Unix.
func (p *Process) reap() (*os.ProcessState, error) {
	state, err := p.OS.Wait()
	switch {
	case err == nil:
		p.self.reaped.Store(true)
		if p.self.handle != p.OS {
			p.self.handle.Release()
		}
	case err == syscall.EINVAL: // it has no handle any more
		if exited, _ := p.waitFor(0); exited {
			err = os.NewSyscallError("wait", syscall.ECHILD)
		}
	}
	return state, err
}

// Here calls f with -1: no descriptor tells of the exit.
func (p *Process) Here(f func(int)) { f(-1) }
