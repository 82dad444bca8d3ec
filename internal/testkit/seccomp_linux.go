package testkit

import (
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() {
	share("seccomp", helperSeccomp)
}

// OnThreadOfItsOwn runs f on a thread that ends with it.
func OnThreadOfItsOwn(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread never ends. Occupied, it is not
			// given to the next goroutine.
			OnThreadOfItsOwn(f)
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
	<-done
}

// A Denial makes a system call fail with an error: always, or only if the lower
// half of one of its arguments has one of some bits set, or has some value, in
// those bits if there are both, or has any value but one.
type Denial struct {
	Call   uintptr
	Errno  unix.Errno
	Arg    int // which argument
	Bits   uint32
	Value  uint32
	Unless uint32
}

// clone3 has the same number everywhere, and no constant in package unix that
// all releases have.
const SysClone3 = 435

// WithoutPidfd is what a kernel without pidfds answers.
var WithoutPidfd = []Denial{
	{Call: unix.SYS_PIDFD_OPEN, Errno: unix.ENOSYS},
	{Call: unix.SYS_PIDFD_SEND_SIGNAL, Errno: unix.ENOSYS},
	{Call: unix.SYS_CLONE, Errno: unix.ENOSYS, Arg: 0, Bits: unix.CLONE_PIDFD},
	{Call: SysClone3, Errno: unix.ENOSYS},
}

// RuntimeEvents is for how many events at a time the runtime's poller asks, without
// which no Go program runs. Whoever else uses epoll asks for another number.
const RuntimeEvents = 128

// WithoutEpoll keeps every epoll set but the runtime's from working.
var WithoutEpoll = append([]Denial{
	{Call: unix.SYS_EPOLL_PWAIT, Errno: unix.ENOSYS, Arg: 2, Unless: RuntimeEvents},
	{Call: sysEpollPwait2, Errno: unix.ENOSYS},
}, withoutEpollWait[runtime.GOARCH]...)

const sysEpollPwait2 = 441

// withoutEpollWait is for the call that newer architectures do not have.
var withoutEpollWait = map[string][]Denial{
	"386":   {{Call: 256, Errno: unix.ENOSYS}},
	"amd64": {{Call: 232, Errno: unix.ENOSYS}},
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
func program(denials []Denial) (p []unix.SockFilter) {
	add := func(code uint16, jt, jf uint8, k uint32) {
		p = append(p, unix.SockFilter{Code: code, Jt: jt, Jf: jf, K: k})
	}
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		and   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		bits  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
	)
	add(load, 0, 0, dataArch)
	add(equal, 1, 0, auditArch)
	add(ret, 0, 0, unix.SECCOMP_RET_ALLOW) // not ours to judge
	for _, d := range denials {
		add(load, 0, 0, dataNr)
		arg := uint32(dataArgs + 8*d.Arg)
		switch {
		case d.Bits != 0 && d.Value != 0:
			add(equal, 0, 4, uint32(d.Call))
			add(load, 0, 0, arg)
			add(and, 0, 0, d.Bits)
			add(equal, 0, 1, d.Value)
		case d.Bits != 0:
			add(equal, 0, 3, uint32(d.Call))
			add(load, 0, 0, arg)
			add(bits, 0, 1, d.Bits)
		case d.Value != 0:
			add(equal, 0, 3, uint32(d.Call))
			add(load, 0, 0, arg)
			add(equal, 0, 1, d.Value)
		case d.Unless != 0:
			add(equal, 0, 3, uint32(d.Call))
			add(load, 0, 0, arg)
			add(equal, 1, 0, d.Unless)
		default:
			add(equal, 0, 1, uint32(d.Call))
		}
		add(ret, 0, 0, unix.SECCOMP_RET_ERRNO|uint32(d.Errno))
	}
	add(ret, 0, 0, unix.SECCOMP_RET_ALLOW)
	return p
}

// Deny makes the calling thread, and what it starts from now on, or with all
// the whole process, suffer the denials for good.
func Deny(all bool, denials []Denial) error {
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

// Denied runs f on a thread of its own to which the denials apply. A Start in f
// forks there.
func Denied(t testing.TB, denials []Denial, f func()) {
	t.Helper()
	var err error
	OnThreadOfItsOwn(func() {
		if err = Deny(false, denials); err == nil {
			f()
		}
	})
	if err != nil {
		Lack(t, "no seccomp filter: ", err)
	}
}
