//go:build !unix && !windows

package xexec

import "syscall"

// defaultStopSignal is what Terminate sends, on Plan 9. On js and wasip1 there are
// no processes.
const defaultStopSignal = syscall.SIGTERM
