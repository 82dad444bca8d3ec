//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package tree

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A terminal is the one that a tree takes for its foreground, and is to be given
// back.
type terminal struct {
	fd     int
	before int // the process group that had it
}

// openTerminal returns the terminal that a process with attr takes, nil if it takes
// none. The descriptor is a copy, as the caller may close his after the start.
func openTerminal(attr *syscall.SysProcAttr) *terminal {
	if !attr.Foreground {
		return nil
	}
	fd, err := unix.FcntlInt(uintptr(attr.Ctty), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil // the start will say what is wrong with it, or works without
	}
	t := &terminal{fd: fd}
	if t.before, err = t.foreground(); err != nil {
		unix.Close(fd)
		return nil
	}
	return t
}

// foreground is tcgetpgrp(3).
func (t *terminal) foreground() (pgid int, err error) {
	v, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP)
	return int(*(*int32)(unsafe.Pointer(&v))), err // the kernel's int is the first half of ours
}

// giveBack gives the terminal to the group that had it before, or if that has gone
// to ours, provided that the tree's group has it still, or nobody. Then it closes it.
func (t *terminal) giveBack(tree int, gone func(pgid int) bool) {
	if t == nil {
		return
	}
	defer unix.Close(t.fd)
	now, err := t.foreground()
	if err != nil || now == t.before || now != tree && !gone(now) {
		return
	}
	withoutStop(func() {
		if unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, t.before) != nil {
			unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, syscall.Getpgrp())
		}
	})
}
