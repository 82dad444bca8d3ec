//go:build unix

package xexec

import (
	"os"
	"syscall"
)

// leadsGroup reports whether a process that was started with attr leads a
// process group of its own.
func leadsGroup(attr *syscall.SysProcAttr) bool {
	switch {
	case attr == nil:
		return false
	case attr.Setpgid || attr.Foreground:
		return attr.Pgid == 0
	}
	return attr.Setsid
}

// setGroup makes attr such that the process leads a process group.
func setGroup(attr *syscall.SysProcAttr) error {
	switch {
	case leadsGroup(attr):
	case attr.Setpgid || attr.Foreground:
		return contradiction("Pgid: the leader of a tree leads a process group of its own and cannot join another")
	default:
		attr.Setpgid, attr.Pgid = true, 0
	}
	return nil
}

// send sends sig to the process, or to the tree, which is not over. The caller
// holds r.mu.
func (r *run) send(sig os.Signal) error {
	if r.tree != nil {
		return r.tree.signal(r.proc, sig)
	}
	return r.proc.Signal(sig)
}
