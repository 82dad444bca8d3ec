package stdio

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const fionread = unix.TIOCINQ

// enlargePipe makes the pipe larger, so that the command and the one who reads wait
// for each other less often. It does so only for streams that have proved to be large:
// there is a limit to what the pipes of a user who is not root have in all (pipe(7)).
// Beyond that the pipe stays as it is.
func enlargePipe(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 256<<10) }

// newHuge returns memory that freeHuge gives back to the system at once, which the
// garbage collector would do only some time later.
func newHuge() []byte {
	b, err := unix.Mmap(-1, 0, hugePiece, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, hugePiece)
	}
	unix.Madvise(b, unix.MADV_HUGEPAGE) // a wish
	return b
}

func freeHuge(b []byte) {
	unix.Munmap(b) // EINVAL: it is the collector's
}

// newResult returns an empty slice with room for size bytes. For a large one it asks
// for huge pages, which spares one page fault for each 4 KiB.
func newResult(size int) []byte {
	out := make([]byte, 0, size)
	const huge = 2 << 20
	if size < 2*hugeOutput {
		return out
	}
	start := uintptr(unsafe.Pointer(unsafe.SliceData(out)))
	from := (start+huge-1)&^(huge-1) - start
	to := (start+uintptr(size))&^(huge-1) - start
	unix.Madvise(out[from:to], unix.MADV_HUGEPAGE) // a wish
	return out
}

// newPipe returns our end and the child's of a new pipe. If nobody sees our end but
// this package, it is made without os.Pipe, which puts both ends into the runtime's
// poller and takes the child's out again.
func newPipe(input, hidden bool) (ours, child *os.File, err error) {
	if !hidden {
		return osPipe(input)
	}
	fd, child, err := rawPipe(input)
	if err != nil {
		return nil, nil, err
	}
	name := "|0"
	if input {
		name = "|1"
	}
	return newEnd(fd, name), child, nil
}

func rawPipe(input bool) (ours int, child *os.File, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return 0, nil, os.NewSyscallError("pipe2", err)
	}
	if input {
		return p[1], os.NewFile(uintptr(p[0]), "|0"), nil
	}
	return p[0], os.NewFile(uintptr(p[1]), "|1"), nil
}

// newEnd returns a file for our end of a pipe that rawPipe has made.
func newEnd(fd int, name string) *os.File {
	unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_NONBLOCK)
	f := os.NewFile(uintptr(fd), name)
	if f.SetDeadline(time.Time{}) != nil { // the poller has not taken it
		unix.FcntlInt(uintptr(fd), unix.F_SETFL, 0)
	}
	return f
}

// prewritten returns the child's end of a pipe that holds b and has no other end. It
// returns nil if the pipe cannot hold that much, or cannot be made.
func prewritten(b []byte) *os.File {
	fd, child, err := rawPipe(true)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	if len(b) > 0 {
		unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_NONBLOCK)
		if n, _ := unix.Write(fd, b); n < len(b) {
			child.Close()
			return nil
		}
	}
	return child
}
