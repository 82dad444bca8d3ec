// Refuse runs a program whose system calls of some names fail, as in a container
// whose seccomp profile is older than they are:
//
//	refuse EPERM|ENOSYS CALL[,CALL...] PROGRAM [ARGUMENT...]
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

var (
	errnos = map[string]unix.Errno{"EPERM": unix.EPERM, "ENOSYS": unix.ENOSYS}
	calls  = map[string]uint32{
		"clone3":            unix.SYS_CLONE3,
		"pidfd_open":        unix.SYS_PIDFD_OPEN,
		"pidfd_send_signal": unix.SYS_PIDFD_SEND_SIGNAL,
	}
)

func main() {
	fmt.Fprintln(os.Stderr, "refuse:", refuse(os.Args[1], os.Args[2], os.Args[3:]))
	os.Exit(77)
}

func refuse(errno, names string, program []string) error {
	const load, jumpIfEqual, answer = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	e := errnos[errno]
	if e == 0 {
		return fmt.Errorf("no errno %s", errno)
	}
	code := []unix.SockFilter{{Code: load}} // the number is the first field of struct seccomp_data
	for name := range strings.SplitSeq(names, ",") {
		number, ok := calls[name]
		if !ok {
			return fmt.Errorf("no system call %s", name)
		}
		code = append(code,
			unix.SockFilter{Code: jumpIfEqual, Jf: 1, K: number},
			unix.SockFilter{Code: answer, K: unix.SECCOMP_RET_ERRNO | uint32(e)})
	}
	code = append(code, unix.SockFilter{Code: answer, K: unix.SECCOMP_RET_ALLOW})
	path, err := exec.LookPath(program[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the filter is this thread's, and what it executes
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
		return err
	}
	return unix.Exec(path, program, os.Environ())
}
