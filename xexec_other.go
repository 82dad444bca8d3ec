//go:build !unix && !windows

package xexec

import (
	"errors"
	"os"
	"syscall"
)

// Plan 9 has processes, and what it lacks is done here as os/exec does it. js
// and wasip1 have none: Start fails.

const defaultStopSignal = syscall.SIGTERM

var continueSignal os.Signal

func neverSent(_ os.Signal, err error) bool { return errors.Is(err, errors.ErrUnsupported) }

func isStolen(error) bool { return false }

func isTextBusy(error) bool { return false }

func diedOfKill(state *os.ProcessState) bool { return state != nil && !state.Success() }
