//go:build unix

package xexec

import "syscall"

// leadsGroup reports whether a process that was started with attr leads a
// process group of its own.
func leadsGroup(attr *syscall.SysProcAttr) bool {
	if attr == nil || !attr.Setpgid && !attr.Foreground {
		return attr != nil && attr.Setsid
	}
	return attr.Pgid == 0
}

// setGroup makes attr such that the process leads a process group.
func setGroup(attr *syscall.SysProcAttr) error {
	switch {
	case attr.Pgid != 0 && (attr.Setpgid || attr.Foreground):
		return contradiction("Pgid: the leader of a tree leads a process group of its own and cannot join another")
	case !attr.Setsid && !attr.Foreground:
		attr.Setpgid, attr.Pgid = true, 0
	}
	return nil
}
