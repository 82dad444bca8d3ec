package stdio

import (
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const fionread = unix.TIOCINQ

// enlargePipe makes the pipe larger, so that the command and the one who reads wait
// for each other less often. It does so only for streams that have proved to be large:
// there is a limit to what the pipes of a user who is not root have in all (pipe(7)).
// Beyond that the pipe stays as it is.
func enlargePipe(r io.Reader) {
	enlarge := func(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 256<<10) }
	switch r := r.(type) {
	case *hereEnd:
		enlarge(uintptr(r.fd))
	case syscall.Conn:
		if conn, err := r.SyscallConn(); err == nil {
			conn.Control(enlarge)
		}
	}
}

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
	if size >= 2*hugePiece {
		unix.Madvise(out[:size], unix.MADV_HUGEPAGE) // a wish
	}
	return out
}

// rawPipe returns a pipe, with our end as a descriptor in non-blocking mode. os.Pipe would
// put both ends into the runtime's poller, and take the child's out again.
func rawPipe(input bool) (ours int, child *os.File, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return 0, nil, os.NewSyscallError("pipe2", err)
	}
	ours, childs, name := p[0], p[1], "|1"
	if input {
		ours, childs, name = p[1], p[0], "|0"
	}
	unix.FcntlInt(uintptr(ours), unix.F_SETFL, unix.O_NONBLOCK)
	return ours, os.NewFile(uintptr(childs), name), nil
}

// newEnd returns a file for our end of an output's pipe that rawPipe has made.
func newEnd(fd int) *os.File {
	f := os.NewFile(uintptr(fd), "|0")
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
		if n, _ := unix.Write(fd, b); n < len(b) {
			child.Close()
			return nil
		}
	}
	return child
}
