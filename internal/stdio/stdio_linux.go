package stdio

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const fionread = unix.TIOCINQ

// enlargePipe makes the pipe larger, so that the command and the one who reads wait
// for each other less often. It does so only for streams that have proved to be large:
// there is a limit to what the pipes of a user who is not root have in all (pipe(7)).
// Beyond that the pipe stays as it is.
func enlargePipe(pipe syscall.Conn) {
	if conn, err := pipe.SyscallConn(); err == nil {
		conn.Control(func(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 256<<10) })
	}
}
