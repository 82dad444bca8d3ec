package child

import (
	"errors"
	"os"
	"syscall"
)

// There are no stopped processes.
var continueSignal os.Signal

// neverSent reports whether err says that there is no such signal, or no console to
// send it on.
func neverSent(_ os.Signal, err error) bool { return errors.Is(err, errors.ErrUnsupported) }

func isStolen(err error) bool { return errors.Is(err, syscall.ECHILD) }

// diedOfKill reports whether state is that of a process that was killed:
// os.Process.Kill makes the exit code 1. A process that exits with 1 in the moment
// before it is killed looks the same.
func diedOfKill(state *os.ProcessState) bool { return state.ExitCode() == 1 }

// isTextBusy reports false: nobody's child can hold a program file open here.
func isTextBusy(error) bool { return false }
