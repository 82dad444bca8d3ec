//go:build !unix && !windows

package xexec

import "syscall"

// Plan 9 has processes, and what it lacks is done as os/exec does it. js and wasip1
// have none: Start fails.

const defaultStopSignal = syscall.SIGTERM

func isTextBusy(error) bool { return false }
