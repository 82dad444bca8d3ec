//go:build unix

package xexec

import (
	"errors"
	"syscall"
)

// defaultStopSignal is what Terminate sends.
const defaultStopSignal = syscall.SIGTERM

// isTextBusy reports whether err says that a program file is open for writing.
func isTextBusy(err error) bool { return errors.Is(err, syscall.ETXTBSY) }
