package xexec_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// statFields returns what follows the name in /proc/pid/stat: state, parent and
// so on; nil if there is no such process.
func statFields(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
}

// processState returns the state of a process, "" if there is none.
func processState(pid int) string {
	if f := statFields(pid); f != nil {
		return f[0]
	}
	return ""
}

func isOurs(pid int) bool {
	f := statFields(pid)
	return f != nil && f[1] == strconv.Itoa(os.Getpid())
}

// isZombieSoon waits for the exit of a child, and reports whether it can still
// be reaped.
func isZombieSoon(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err == nil
		}
	}
}

// hasExited reports whether a child has exited and is unreaped, and whether it is
// one: alive or a zombie.
func hasExited(pid int) (exited, ours bool) {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err == nil && info.Signo != 0, err == nil
		}
	}
}
