package tree

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const denyEnv = "TREE_TEST_DENY"

// deny returns an environment entry with which a test that is run alone has a system
// call refused.
func deny(errno syscall.Errno, call int) string { return fmt.Sprintf("%s=%d,%d", denyEnv, errno, call) }

// That is before os.Process has looked whether there are pidfds.
func init() {
	v, ok := os.LookupEnv(denyEnv)
	if !ok {
		return
	}
	e, c, _ := strings.Cut(v, ",")
	errno, _ := strconv.Atoi(e)
	call, _ := strconv.Atoi(c)
	const number = 0
	code := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: uint32(call)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		panic(errno)
	}
}
