package xexec

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

const defaultStopSignal = syscall.SIGTERM

func isTextBusy(error) bool { return false }

// isHangup reports whether err says that nobody reads the command's Stdin.
func isHangup(err error) bool {
	var pe *fs.PathError
	return errors.As(err, &pe) && pe.Op == "write" && pe.Path == "|1" &&
		(pe.Err == windows.ERROR_BROKEN_PIPE || pe.Err == windows.ERROR_NO_DATA)
}

// diedOfKill reports whether state is that of a process that was killed:
// os.Process.Kill makes the exit code 1.
func diedOfKill(state *os.ProcessState) bool { return state != nil && state.ExitCode() == 1 }

// observe reports whether p has exited; with block, it waits for that. The
// handle keeps the process id from being used again.
func observe(p *os.Process, _ int, block bool) (exited bool, err error) {
	timeout := uint32(0)
	if block {
		timeout = windows.INFINITE
	}
	var event uint32
	e := p.WithHandle(func(handle uintptr) {
		event, err = windows.WaitForSingleObject(windows.Handle(handle), timeout)
	})
	switch {
	case errors.Is(e, os.ErrProcessDone):
		return true, nil
	case e != nil:
		return false, e
	case err != nil:
		return false, os.NewSyscallError("WaitForSingleObject", err)
	}
	return event == windows.WAIT_OBJECT_0, nil
}

// stopReading makes a Read that waits for data return, and locks p.reading. The
// read can be cancelled only once it has begun, so it takes more than one try.
func (p *pipeReader) stopReading(bool) bool {
	for !p.reading.TryLock() {
		if conn, err := p.file.SyscallConn(); err == nil {
			conn.Control(func(h uintptr) { windows.CancelIoEx(windows.Handle(h), nil) })
		}
		runtime.Gosched()
		time.Sleep(100 * time.Microsecond)
	}
	return true
}

// closeFile closes the descriptor. File.Close cancels a read that waits, too, but
// only once, and waits for ever for one that has not quite begun.
func (p *pipeReader) closeFile() error {
	p.stopReading(false)
	defer p.reading.Unlock()
	return p.file.Close()
}

var procPeekNamedPipe = windows.NewLazySystemDLL("kernel32.dll").NewProc("PeekNamedPipe")

// readAvailable returns what can be read from f, a pipe, at this moment.
func readAvailable(f *os.File) (b []byte) {
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
