//go:build !linux && !freebsd && !windows

package xexec

import (
	"errors"
	"fmt"
	"syscall"
)

func dieWithParent(*syscall.SysProcAttr) error { return unsupported("SetKillOnParentExit") }

// unsupported is the error of a Start that asks for what the system has not.
func unsupported(what string) error {
	return fmt.Errorf("xexec: %s: %w", what, errors.ErrUnsupported)
}
