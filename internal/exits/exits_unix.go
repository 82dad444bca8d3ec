//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package exits

import (
	"os"
	"runtime"
	"syscall"
)

// known returns what package os and kill(2) know of p, which is not named by a
// handle: whether it is gone, or that it was released.
func known(p *os.Process) (done bool, err error) {
	err = p.Signal(syscall.Signal(0))
	if err == os.ErrProcessDone {
		return true, nil
	}
	if _, ok := err.(syscall.Errno); ok {
		err = nil // it runs as somebody else
	}
	return false, err
}

func (p *Process) reap() (*os.ProcessState, error) {
	if p.OS.WithHandle(func(uintptr) {}) == os.ErrNoHandle {
		if done, _ := known(p.OS); done {
			return nil, os.NewSyscallError(osWaitsBy(), syscall.ECHILD)
		}
	}
	return p.OS.Wait()
}

// osWaitsBy names the system call whose error os.Process.Wait would return.
func osWaitsBy() string {
	switch runtime.GOOS {
	case "linux":
		return "waitid"
	case "dragonfly", "freebsd", "netbsd":
		return "wait6"
	}
	return "wait"
}

func own(p *os.Process) *os.Process { return p }
