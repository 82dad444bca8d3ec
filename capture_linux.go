package xexec

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// enlargePipe makes the pipe as large as any user may, so that the command and
// the one who reads wait for each other less often. It does so only for streams
// that have proved to be large: there is a limit to what the pipes of a user who
// is not root have in all (pipe(7)). Beyond that the pipe stays as it is.
func enlargePipe(pipe syscall.Conn) {
	if conn, err := pipe.SyscallConn(); err == nil {
		conn.Control(func(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
	}
}

// newChunk returns memory that freeChunk gives back to the system at once, which
// the garbage collector would do only some time after the join.
func newChunk(size int) []byte {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, size)
	}
	unix.Madvise(b, unix.MADV_HUGEPAGE) // a wish
	return b
}

func freeChunk(b []byte) {
	unix.Munmap(b) // EINVAL: it is the collector's
}
