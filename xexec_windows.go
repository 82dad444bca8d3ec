package xexec

import "syscall"

// defaultStopSignal is what Terminate sends. It stands for CTRL_BREAK.
const defaultStopSignal = syscall.SIGTERM
