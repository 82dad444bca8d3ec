package exits

import (
	"cmp"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// maxThreads is how many waits may block a thread each, in WaitForSingleObject. All
// others share the threads of the system's pool.
const maxThreads = 16

// own returns the process with a second handle, which is open until Reap has taken the
// status, or the Process is collected. os.Process.Wait closes the first one, as Release
// does, and nothing tells the two apart afterwards: a process that somebody else has
// waited for has exited, one that was released may run.
//
// The id is the process's as long as the first handle is open. Where a second one is
// denied, the first one has to do.
func own(p *os.Process) *os.Process {
	own := p
	p.WithHandle(func(uintptr) {
		if second, err := os.FindProcess(p.Pid); err == nil {
			own = second
		}
	})
	return own
}

func (p *Process) exited() (bool, error) { return p.look(0) }

func (p *Process) block() (bool, error) { return p.look(windows.INFINITE) }

// look looks for p's exit, and waits for it until timeout. If somebody has closed the
// first handle, p has exited by now, or was released: then there is nothing to wait for.
func (p *Process) look(timeout uint32) (exited bool, err error) {
	closed := p.OS.WithHandle(func(uintptr) {})
	if closed != nil {
		timeout = 0
	}
	reaped := p.own.WithHandle(func(handle uintptr) {
		var event uint32
		event, err = windows.WaitForSingleObject(windows.Handle(handle), timeout)
		exited = event == windows.WAIT_OBJECT_0
	})
	switch {
	case exited, reaped != nil && p.own != p.OS:
		return true, nil
	case err != nil:
		return false, os.NewSyscallError("WaitForSingleObject", err)
	}
	return false, closed
}

// reap takes the status. That somebody else has taken it is told as it is on Unix.
func (p *Process) reap() (*os.ProcessState, error) {
	state, err := p.OS.Wait()
	if err == syscall.EINVAL { // it has no handle any more
		if exited, _ := p.exited(); exited {
			err = os.NewSyscallError("wait", syscall.ECHILD)
		}
	}
	if err == nil && p.own != p.OS {
		p.own.Release()
	}
	return state, err
}

func watch(p *os.Process, f func(exited, failed <-chan struct{})) (err error) {
	closed := p.WithHandle(func(handle uintptr) { err = watchHandle(handle, f) })
	return cmp.Or(closed, err)
}
