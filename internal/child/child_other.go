//go:build !unix && !windows

package child

import (
	"errors"
	"os"
)

// Plan 9 has processes, whose exit cannot be seen; js and wasip1 have none.

var continueSignal os.Signal

func neverSent(_ os.Signal, err error) bool { return errors.Is(err, errors.ErrUnsupported) }

func isStolen(error) bool { return false }

func diedOfKill(state *os.ProcessState) bool { return !state.Success() }

// isTextBusy reports false: nobody's child can hold a program file open here.
func isTextBusy(error) bool { return false }
