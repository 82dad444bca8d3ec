package testkit

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// OpenPty returns both ends of a new pseudo-terminal.
func OpenPty(t testing.TB) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		Lack(t, err)
	}
	t.Cleanup(func() { master.Close() })
	var n uint32
	conn, _ := master.SyscallConn()
	conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetUint32(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil {
		Lack(t, err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		Lack(t, err)
	}
	t.Cleanup(func() { tty.Close() })
	return master, tty
}

// ReadTerminal returns what was written to the terminal until all have left it.
func ReadTerminal(master, tty *os.File) string {
	tty.Close()
	master.SetReadDeadline(time.Now().Add(Stuck / 2))
	b, _ := io.ReadAll(master) // the end is EIO
	return string(b)
}
