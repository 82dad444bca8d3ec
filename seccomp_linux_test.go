package xexec_test

import (
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"example.com/xexec"
)

// A denial makes a system call fail with an error, always or only if the lower
// half of one of its arguments has one of some bits set, or has some value.
type denial struct {
	call  uintptr
	errno unix.Errno
	arg   int // which argument
	bits  uint32
	value uint32
}

// clone3 has the same number everywhere, and no constant in package unix that
// all releases have.
const sysClone3 = 435

// withoutPidfd is what a kernel without pidfds answers.
var withoutPidfd = []denial{
	{call: unix.SYS_PIDFD_OPEN, errno: unix.ENOSYS},
	{call: unix.SYS_PIDFD_SEND_SIGNAL, errno: unix.ENOSYS},
	{call: unix.SYS_CLONE, errno: unix.ENOSYS, arg: 0, bits: unix.CLONE_PIDFD},
	{call: sysClone3, errno: unix.ENOSYS},
}

// withoutEpoll keeps the package's own epoll descriptor from working. The
// runtime's, without which no Go program runs, asks for more events at a time.
var withoutEpoll = []denial{
	{call: unix.SYS_EPOLL_PWAIT, errno: unix.ENOSYS, arg: 2, bits: xexec.MaxEvents},
}

// auditArch is how a filter sees that the call is of the kind that the numbers
// are for.
var auditArch = map[string]uint32{
	"386":   unix.AUDIT_ARCH_I386,
	"amd64": unix.AUDIT_ARCH_X86_64,
	"arm64": unix.AUDIT_ARCH_AARCH64,
}[runtime.GOARCH]

// Where struct seccomp_data has what a filter looks at. All three machines are
// little-endian.
const (
	dataNr   = 0
	dataArch = 4
	dataArgs = 16
)

// program returns the filter in classic BPF.
func program(denials []denial) (p []unix.SockFilter) {
	add := func(code uint16, jt, jf uint8, k uint32) {
		p = append(p, unix.SockFilter{Code: code, Jt: jt, Jf: jf, K: k})
	}
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		bits  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
	)
	add(load, 0, 0, dataArch)
	add(equal, 1, 0, auditArch)
	add(ret, 0, 0, unix.SECCOMP_RET_ALLOW) // not ours to judge
	for _, d := range denials {
		add(load, 0, 0, dataNr)
		if d.bits == 0 && d.value == 0 {
			add(equal, 0, 1, uint32(d.call))
		} else {
			add(equal, 0, 3, uint32(d.call))
			add(load, 0, 0, uint32(dataArgs+8*d.arg))
			if d.bits != 0 {
				add(bits, 0, 1, d.bits)
			} else {
				add(equal, 0, 1, d.value)
			}
		}
		add(ret, 0, 0, unix.SECCOMP_RET_ERRNO|uint32(d.errno))
	}
	add(ret, 0, 0, unix.SECCOMP_RET_ALLOW)
	return p
}

// deny makes the calling thread, and what it starts from now on, or with all
// the whole process, suffer the denials for good.
func deny(all bool, denials []denial) error {
	if auditArch == 0 {
		return unix.ENOTSUP // nobody has written down what the filter needs to know
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	p := program(denials)
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	var flags uintptr
	if all {
		flags = unix.SECCOMP_FILTER_FLAG_TSYNC
	}
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(p)
	if e != 0 {
		return e
	}
	return nil
}

// denied runs f on a thread of its own to which the denials apply. A Start in f
// forks there.
func denied(t testing.TB, denials []denial, f func()) {
	t.Helper()
	var err error
	onThreadOfItsOwn(func() {
		if err = deny(false, denials); err == nil {
			f()
		}
	})
	if err != nil {
		t.Skipf("no seccomp filter: %v", err)
	}
}
