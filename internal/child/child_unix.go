//go:build unix

package child

import (
	"errors"
	"os"
	"syscall"
)

// continueSignal lets a process that is stopped receive what was sent to it.
var continueSignal os.Signal = syscall.SIGCONT

// neverSent reports whether sig is the reason why it could not be sent: err says
// that there is no such signal.
func neverSent(sig os.Signal, err error) bool {
	_, ok := sig.(syscall.Signal)
	return !ok || errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported)
}

// diedOfKill reports whether state is that of a process that was killed.
func diedOfKill(state *os.ProcessState) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// isTextBusy reports whether err says that a program file is open for writing.
func isTextBusy(err error) bool { return errors.Is(err, syscall.ETXTBSY) }
