//go:build !windows

package xexec

import "syscall"

// defaultStopSignal is what Terminate sends.
const defaultStopSignal = syscall.SIGTERM
