package model_test

import (
	"os"

	"golang.org/x/sys/unix"

	"example.com/xexec/internal/testkit"
)

func processState(pid int) string {
	if !testkit.OwnProc() {
		return ""
	}
	return testkit.ProcessState(pid)
}

func isOurs(pid int) bool { return testkit.Parent(pid) == os.Getpid() }

// isZombieSoon waits for the exit of a child, and reports whether it can still
// be reaped.
func isZombieSoon(pid int) bool { return testkit.AwaitExit(pid) == nil }

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
