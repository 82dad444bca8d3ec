package xexec

import "syscall"

// defaultStopSignal is what Terminate sends. It stands for CTRL_BREAK here.
const defaultStopSignal = syscall.SIGTERM

// isTextBusy reports false: a program file is not executed while it is open for
// writing, and no child holds it open by accident.
func isTextBusy(error) bool { return false }
