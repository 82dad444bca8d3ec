package xexec

import "syscall"

// dieWithParent makes attr such that the process is killed when its parent ends:
// procctl(2), PROC_PDEATHSIG_CTL, which is about the process and not a thread.
func dieWithParent(attr *syscall.SysProcAttr) error {
	if attr.Pdeathsig == 0 {
		attr.Pdeathsig = syscall.SIGKILL
	}
	return nil
}
