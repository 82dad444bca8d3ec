//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package tree

import (
	"errors"
	"os"
	"syscall"
)

// LeadsGroup reports whether a process that was started with attr leads a process
// group of its own.
func LeadsGroup(attr *syscall.SysProcAttr) bool {
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
	case attr.Ptrace:
		return errors.New("xexec: SetTree contradicts SysProcAttr.Ptrace: a leader that stops for its tracer looks like one that has exited")
	case LeadsGroup(attr):
	case attr.Setpgid || attr.Foreground:
		return errors.New("xexec: SetTree contradicts SysProcAttr.Pgid: the leader of a tree leads a process group of its own and cannot join another")
	default:
		attr.Setpgid, attr.Pgid = true, 0
	}
	return nil
}

// Adopt returns the tree of a process that os/exec's Start has started with attr,
// and that leads its group; else nil.
func Adopt(p *os.Process, attr *syscall.SysProcAttr) *Tree {
	if !LeadsGroup(attr) {
		return nil
	}
	return &Tree{leader: p, pid: p.Pid}
}
