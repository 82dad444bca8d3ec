//go:build unix

package stdio

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

var longAgo = time.Unix(1, 0)

// interrupt makes a read or write on f that waits return, and those that come. One
// that waits in the kernel, because f was in blocking mode when it began, is not
// ended by anything.
func interrupt(f *os.File, over func() bool) { f.SetDeadline(longAgo) }

// isInterrupted reports whether err is that of a read or write that interrupt has
// ended.
func isInterrupted(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// closeFile closes f, which ends reads that wait.
func closeFile(f *os.File, unused func() bool) error { return f.Close() }

// closeSoon closes f, and waits only as long as that takes where nobody is in
// the descriptor. A read or write that waits ends with os.ErrClosed.
func closeSoon(f *os.File) { forAMoment(func() { f.Close() }) }

// isHangup reports whether err says that nobody reads the command's Stdin.
func isHangup(err error) bool {
	pe, ok := err.(*fs.PathError)
	return ok && pe.Op == "write" && pe.Path == "|1" && pe.Err == syscall.EPIPE
}

// available returns what can be read from f, a pipe, at this moment.
func available(f *os.File) (b []byte) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	conn.Control(func(fd uintptr) {
		b = make([]byte, inPipe(int(fd)))
		for n := 0; n < len(b); {
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

// inPipe returns how many bytes are in a pipe.
func inPipe(fd int) int {
	v, err := unix.IoctlGetInt(fd, fionread)
	if err != nil {
		return 0
	}
	n := *(*int32)(unsafe.Pointer(&v)) // that is what the kernel wrote, at the int's address
	return max(0, int(n))
}

// isEnd reports true: a read that returns no bytes is at the end.
func isEnd(*os.File) bool { return true }
