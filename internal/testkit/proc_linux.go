package testkit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// statFields returns what follows the name in /proc/pid/stat: state, parent and
// so on; nil if there is no such process.
func statFields(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
}

// ProcessState returns the state of a process, as a letter, "" if there is none.
func ProcessState(pid int) string {
	if f := statFields(pid); f != nil {
		return f[0]
	}
	return ""
}

// Parent returns the parent of a process, 0 if there is no such process.
func Parent(pid int) int {
	if f := statFields(pid); f != nil {
		return Atoi(f[1])
	}
	return 0
}

// Zombie reports whether pid has exited and is unreaped.
func Zombie(pid int) bool { return ProcessState(pid) == "Z" }

// Alive reports whether there is a process that has not exited.
func Alive(pid int) bool { return syscall.Kill(pid, 0) == nil && !Zombie(pid) }

// AwaitState waits until the process is in the state.
func AwaitState(t testing.TB, pid int, state string) {
	t.Helper()
	NeedOwnProc(t)
	for end := time.Now().Add(Stuck / 2); ProcessState(pid) != state; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d is in state %s", pid, ProcessState(pid))
		}
	}
}

// AwaitExit waits until a child has exited, and leaves it to be reaped.
func AwaitExit(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err
		}
	}
}

// WaitForExit is AwaitExit for a child that must be there.
func WaitForExit(t testing.TB, pid int) {
	t.Helper()
	if err := AwaitExit(pid); err != nil {
		t.Errorf("waitid: %v", err)
	}
}

// Marked returns the living processes that have mark in their environment.
func Marked(mark string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil && bytes.Contains(b, []byte(mark)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// Descriptors counts those that are open, in place of a Stock where that would
// take too long.
func Descriptors() int {
	fds, _ := filepath.Glob("/proc/self/fd/*")
	return len(fds)
}

// awaitReader waits until a pipe is empty.
func awaitReader(w *os.File) {
	for {
		if n, err := unix.IoctlGetUint32(int(w.Fd()), unix.TIOCINQ); n == 0 || err != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// PipeSize returns how much a pipe holds, 0 if that cannot be asked for.
func PipeSize(f *os.File) (size int) {
	conn, err := f.SyscallConn()
	if err != nil {
		return 0
	}
	conn.Control(func(fd uintptr) { size, err = unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0) })
	if err != nil {
		return 0
	}
	return size
}
