//go:build unix

package xexec

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const defaultStopSignal = syscall.SIGTERM

func isTextBusy(err error) bool { return errors.Is(err, syscall.ETXTBSY) }

// isHangup reports whether err says that nobody reads the command's Stdin.
func isHangup(err error) bool {
	var pe *fs.PathError
	return errors.As(err, &pe) && pe.Op == "write" && pe.Path == "|1" && pe.Err == syscall.EPIPE
}

// diedOfKill reports whether state is that of a process that was killed.
func diedOfKill(state *os.ProcessState) bool {
	if state == nil {
		return false
	}
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// stopReading makes a Read that waits for data return, and locks p.reading. It
// cannot do so if the descriptor is in blocking mode, where nothing ends a read:
// it then reports false.
func (p *pipeReader) stopReading(blocked bool) bool {
	if blocked || p.file.SetReadDeadline(time.Unix(1, 0)) != nil {
		return p.reading.TryLock()
	}
	p.reading.Lock()
	return true
}

// closeFile closes the descriptor, which ends a Read that waits.
func (p *pipeReader) closeFile() error { return p.file.Close() }

// readAvailable returns what can be read from f, a pipe, at this moment.
func readAvailable(f *os.File) (b []byte) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	conn.Control(func(fd uintptr) {
		size, err := unix.IoctlGetInt(int(fd), fionread)
		if err != nil || size <= 0 {
			return
		}
		b = make([]byte, size)
		for n := 0; n < size; {
			m, err := unix.Read(int(fd), b[n:])
			if err == unix.EINTR {
				continue
			}
			if m <= 0 {
				b = b[:n]
				return
			}
			n += m
		}
	})
	return b
}
