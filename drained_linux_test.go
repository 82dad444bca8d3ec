package xexec_test

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// awaitReader waits until a pipe is empty.
func awaitReader(w *os.File) {
	for {
		if n, err := unix.IoctlGetInt(int(w.Fd()), unix.TIOCINQ); n == 0 || err != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
