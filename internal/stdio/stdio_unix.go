//go:build unix

package stdio

import (
	"cmp"
	"errors"
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
func interrupt(f *os.File) { f.SetDeadline(longAgo) }

// isInterrupted reports whether err is that of a read or write that interrupt has
// ended.
func isInterrupted(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// closeFile closes f. A read or write that waits ends with os.ErrClosed.
func closeFile(f *os.File) error { return f.Close() }

func isHungUp(err error) bool { return err == syscall.EPIPE }

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

// dup returns a descriptor of f for a child, in blocking mode as a child expects. The
// mode is also f's.
func dup(f *os.File) (*os.File, error) {
	f.Fd() // so that Close of f does not wait for a read
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	closed := conn.Control(func(old uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if fd, err = syscall.Dup(int(old)); err == nil {
			syscall.CloseOnExec(fd)
		}
	})
	if err = cmp.Or(closed, os.NewSyscallError("dup", err)); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// undoDup sets f to the mode that it had before.
func undoDup(f *os.File) {
	if conn, err := f.SyscallConn(); err == nil {
		conn.Control(func(fd uintptr) { syscall.SetNonblock(int(fd), true) })
	}
}
