//go:build linux || freebsd

package tree

import "syscall"

// dieWithParent makes the process die with its parent: prctl(2), PR_SET_PDEATHSIG,
// where the parent is a thread; procctl(2), PROC_PDEATHSIG_CTL, where it is a process.
func dieWithParent(attr *syscall.SysProcAttr) error {
	if attr.Pdeathsig == 0 {
		attr.Pdeathsig = syscall.SIGKILL
	}
	return nil
}
