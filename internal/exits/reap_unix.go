//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package exits

import (
	"os"
	"syscall"
)

// Reap waits for p and takes its status, as os.Process.Wait does. Where that has
// returned before, and p is named by its id only, it would wait for whoever has the
// id now: Reap then says that there is no such child.
func (p *Process) Reap() (*os.ProcessState, error) {
	if p.OS.WithHandle(func(uintptr) {}) == os.ErrNoHandle {
		if done, _ := known(p.OS); done {
			return nil, os.NewSyscallError("wait", syscall.ECHILD)
		}
	}
	return p.OS.Wait()
}
