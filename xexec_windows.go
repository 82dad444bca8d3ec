package xexec

import (
	"errors"
	"os"
	"syscall"
)

const defaultStopSignal = syscall.SIGTERM

// There are no stopped processes.
var continueSignal os.Signal

// neverSent reports whether err says that the signal does not exist here, or that
// there is no console to send it on.
func neverSent(_ os.Signal, err error) bool { return errors.Is(err, errors.ErrUnsupported) }

func isStolen(err error) bool { return errors.Is(err, syscall.ECHILD) }

func isTextBusy(error) bool { return false }

// diedOfKill reports whether state, which may be nil, is that of a process that was
// killed: os.Process.Kill makes the exit code 1. A process that exits with 1 in the
// moment before it is killed looks the same.
func diedOfKill(state *os.ProcessState) bool { return state != nil && state.ExitCode() == 1 }
