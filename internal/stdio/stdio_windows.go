package stdio

import (
	"cmp"
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// interrupt makes a read or write on f return. It can be cancelled only once it has
// begun, so a goroutine tries until f is closed.
func interrupt(f *os.File) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	cancel := func(h uintptr) { windows.CancelIoEx(windows.Handle(h), nil) }
	go func() {
		for pause := firstPause; conn.Control(cancel) == nil; pause = nextPause(pause) {
			time.Sleep(pause)
		}
	}()
}

const firstPause = 50 * time.Microsecond

// nextPause is longer, as somebody may be in the handle for long whom nothing ends.
func nextPause(pause time.Duration) time.Duration { return min(2*pause, 10*time.Millisecond) }

// isInterrupted reports whether err is that of a read or write that interrupt has
// ended.
func isInterrupted(err error) bool { return errors.Is(err, windows.ERROR_OPERATION_ABORTED) }

// closeFile closes f. File.Close cancels a read or write, too, but only once, and waits
// for ever for one that has not quite begun. So they are cancelled until it returns, by a
// second handle. That is no os.File: os.NewFile asks for the mode of the handle, and so
// waits for a read or write that has begun.
func closeFile(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	second, err := dupHandle(conn)
	if err != nil {
		return f.Close() // it is closed
	}
	defer windows.CloseHandle(second)
	closed := make(chan error, 1)
	go func() { closed <- f.Close() }()
	for pause := firstPause; ; pause = nextPause(pause) {
		select {
		case err := <-closed:
			return err
		case <-time.After(pause):
			// A read that is cancelled before its file counts as closed would tell
			// its user of that, and not of the close.
			if conn.Control(func(uintptr) {}) != nil {
				windows.CancelIoEx(second, nil)
			}
		}
	}
}

func isHungUp(err error) bool {
	return err == windows.ERROR_BROKEN_PIPE || err == windows.ERROR_NO_DATA
}

var procPeekNamedPipe = windows.NewLazySystemDLL("kernel32.dll").NewProc("PeekNamedPipe")

// peek returns how many bytes can be read from a pipe. While somebody else is in a
// read of the same handle, it waits for that, as all calls for a synchronous handle do.
func peek(h uintptr) (size uint32, err error) {
	ok, _, err := procPeekNamedPipe.Call(h, 0, 0, 0, uintptr(unsafe.Pointer(&size)), 0)
	if ok == 0 {
		return 0, err
	}
	return size, nil
}

// available returns what can be read from f, a pipe, at this moment: at most what the
// pipe holds. What can be read is more where a writer waits for room for the rest.
func available(f *os.File) (b []byte) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	conn.Control(func(h uintptr) {
		var out, in uint32
		if windows.GetNamedPipeInfo(windows.Handle(h), nil, &out, &in, nil) != nil {
			return
		}
		const empty = 1000 // messages without a byte, which are no end
		for tries, left := 0, max(out, in, 4096); left > 0 && tries < empty; {
			size, err := peek(h)
			if err != nil || size == 0 {
				return
			}
			part := make([]byte, min(size, left))
			var n uint32
			if windows.ReadFile(windows.Handle(h), part, &n, nil) != nil {
				return
			}
			if n == 0 {
				tries++
			}
			b = append(b, part[:n]...)
			left -= n
		}
	})
	return b
}

// isEnd reports whether f, of which a read has said that it is at its end, is so. A
// write of no bytes says that, too.
func isEnd(f *os.File) (is bool) {
	conn, err := f.SyscallConn()
	if err != nil {
		return true
	}
	is = true
	conn.Control(func(h uintptr) {
		_, err := peek(h)
		is = err != nil
	})
	return is
}

// dup returns a handle of f for a child.
func dup(f *os.File) (*os.File, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	h, err := dupHandle(conn)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(h), f.Name()), nil
}

func dupHandle(conn syscall.RawConn) (h windows.Handle, err error) {
	e := conn.Control(func(old uintptr) {
		self := windows.CurrentProcess()
		err = windows.DuplicateHandle(self, windows.Handle(old), self, &h, 0, false, windows.DUPLICATE_SAME_ACCESS)
	})
	return h, cmp.Or(e, os.NewSyscallError("DuplicateHandle", err))
}

// undoDup has nothing to undo.
func undoDup(*os.File) {}
