//go:build !linux && !freebsd && !windows

package tree

import "syscall"

func dieWithParent(*syscall.SysProcAttr) error { return unsupported("SetKillOnParentExit") }
