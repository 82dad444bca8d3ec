//go:build unix

package stdsuite

import (
	"os"
	"strconv"
	"syscall"
)

// keepOwn makes descriptors that this process was given its own: TestExtraFiles
// skips itself if it inherits any.
func keepOwn() {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}
