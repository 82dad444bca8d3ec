//go:build !unix

package child

import (
	"errors"
	"os"
)

// There are no stopped processes. (js and wasip1 have no processes at all.)
var continueSignal os.Signal

// neverSent reports whether err says that there is no such signal, or no console to
// send it on.
func neverSent(_ os.Signal, err error) bool { return errors.Is(err, errors.ErrUnsupported) }

// diedOfKill reports whether state is that of a process that was killed: that makes the
// exit code 1. A process that exits with 1 in the moment before looks the same.
func diedOfKill(state *os.ProcessState) bool { return state.ExitCode() == 1 }

// isTextBusy reports false: nobody's child can hold a program file open here.
func isTextBusy(error) bool { return false }
