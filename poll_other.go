//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package xexec

import (
	"math"
	"os"
)

// There is no poller: each wait that observe is capable of blocks a thread.
const maxThreads = math.MaxInt32

func pollExit(*os.Process, int, <-chan struct{}) pollResult { return notPolled }
