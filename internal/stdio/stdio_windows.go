package stdio

import (
	"errors"
	"io/fs"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// interrupt makes a read or write on f return. It can be cancelled only once it has
// begun, so a goroutine tries until over reports that nobody is left.
func interrupt(f *os.File, over func() bool) { go cancelUntil(f, over) }

func cancelUntil(f *os.File, over func() bool) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	for !over() {
		if conn.Control(func(h uintptr) { windows.CancelIoEx(windows.Handle(h), nil) }) != nil {
			return // closed
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// isInterrupted reports whether err is that of a read or write that interrupt has
// ended.
func isInterrupted(err error) bool { return errors.Is(err, windows.ERROR_OPERATION_ABORTED) }

// closeFile closes f. File.Close cancels a read that waits, too, but only once, and
// waits for ever for one that has not quite begun.
func closeFile(f *os.File, unused func() bool) error {
	cancelUntil(f, unused)
	return f.Close()
}

// closeSoon closes f, and waits only as long as that takes where nobody is in the
// descriptor. Who is in it is cancelled by a handle of its own.
func closeSoon(f *os.File) {
	other, err := dup(f)
	if err != nil {
		return // closed
	}
	closed := make(chan struct{})
	go func() {
		f.Close()
		close(closed)
	}()
	select {
	case <-closed:
		other.Close()
		return
	case <-time.After(10 * time.Millisecond):
	}
	go func() {
		defer other.Close()
		cancelUntil(other, func() bool {
			select {
			case <-closed:
				return true
			default:
				return false
			}
		})
	}()
}

// isHangup reports whether err says that nobody reads the command's Stdin.
func isHangup(err error) bool {
	pe, ok := err.(*fs.PathError)
	return ok && pe.Op == "write" && pe.Path == "|1" &&
		(pe.Err == windows.ERROR_BROKEN_PIPE || pe.Err == windows.ERROR_NO_DATA)
}

var procPeekNamedPipe = windows.NewLazySystemDLL("kernel32.dll").NewProc("PeekNamedPipe")

// available returns what can be read from f, a pipe, at this moment.
func available(f *os.File) (b []byte) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	conn.Control(func(h uintptr) {
		var size uint32
		ok, _, _ := procPeekNamedPipe.Call(h, 0, 0, 0, uintptr(unsafe.Pointer(&size)), 0)
		if ok == 0 || size == 0 {
			return
		}
		b = make([]byte, size)
		for n := uint32(0); n < size; {
			var m uint32
			if windows.ReadFile(windows.Handle(h), b[n:], &m, nil) != nil || m == 0 {
				b = b[:n]
				return
			}
			n += m
		}
	})
	return b
}

// dup returns a handle of f for a child.
func dup(f *os.File) (*os.File, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var h windows.Handle
	e := conn.Control(func(old uintptr) {
		self := windows.CurrentProcess()
		err = windows.DuplicateHandle(self, windows.Handle(old), self, &h, 0, false, windows.DUPLICATE_SAME_ACCESS)
	})
	if e != nil {
		return nil, e
	}
	if err != nil {
		return nil, os.NewSyscallError("DuplicateHandle", err)
	}
	return os.NewFile(uintptr(h), f.Name()), nil
}

// undoDup has nothing to undo.
func undoDup(*os.File) {}
