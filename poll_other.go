//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package xexec

import (
	"math"
	"os"
)

// There is no poller, and each wait that observe is capable of blocks a thread.
//
// On Windows that is a thread in WaitForSingleObject: its stack of 64 KB or more
// and its kernel object, which the runtime keeps for later. A wait that can be
// cut short has it in a goroutine that stays until the process exits. What could
// take the place of all those threads: CreateThreadpoolWait (since Windows 8 one
// thread of the system's for any number of handles, which calls back into Go), or
// what that is made of, NtAssociateWaitCompletionPacket, which posts the exit to
// an I/O completion port, but is not documented. WaitForMultipleObjects would
// only divide the number by 63. A job object's message that a process has exited
// is not guaranteed to come.
const maxThreads = math.MaxInt32

func pollExit(*os.Process, int, <-chan struct{}) pollResult { return notPolled }

func hasPidfd(*os.Process) bool { return false }
