//go:build unix && !aix

package stdio

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// dup returns a descriptor of f for a child, in blocking mode as a child expects. The
// mode is also f's.
func dup(f *os.File) (*os.File, error) {
	f.Fd() // so that Close of f does not wait for a read
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	if e := conn.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// undoDup sets f to the mode that it had before.
func undoDup(f *os.File) {
	if conn, err := f.SyscallConn(); err == nil {
		conn.Control(func(fd uintptr) { syscall.SetNonblock(int(fd), true) })
	}
}
