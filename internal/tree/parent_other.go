//go:build !linux && !freebsd && !windows

package tree

import (
	"errors"
	"fmt"
	"syscall"
)

func dieWithParent(*syscall.SysProcAttr) error { return unsupported("SetKillOnParentExit") }

// unsupported returns the error for what this system has no means for.
func unsupported(what string) error {
	return fmt.Errorf("xexec: %s: %w", what, errors.ErrUnsupported)
}
