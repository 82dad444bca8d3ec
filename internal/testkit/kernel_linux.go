package testkit

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Pidfd asks the kernel for a pidfd and a signal through it, and package os for
// the one that it owns. It is nil where both have one.
var Pidfd = sync.OnceValue(func() error {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, 0, nil, 0); err != nil {
		return fmt.Errorf("pidfd_send_signal: %w", err)
	}
	// The one of a child comes from clone, which may not know of it.
	p, err := os.StartProcess("/proc/self/exe", []string{"exit", HelperArg, "exit", "0"}, &os.ProcAttr{})
	if err != nil {
		return err
	}
	defer p.Wait()
	if err := p.WithHandle(func(uintptr) {}); err != nil {
		return fmt.Errorf("of a child: %w", err)
	}
	return nil
})

// NeedPidfd skips the test where there is no pidfd.
func NeedPidfd(t testing.TB) {
	t.Helper()
	if err := Pidfd(); err != nil {
		Lack(t, "no pidfd: ", err)
	}
}

// GroupByPidfd reports whether a process group can be signalled through the
// pidfd of its leader: there are pidfds, and the flag is no EINVAL.
func GroupByPidfd() bool {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	err = unix.PidfdSendSignal(fd, 0, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)
	return err == nil || err == unix.ESRCH // we may lead no group
}

// NeedPoller skips the test where pidfds cannot be put into an epoll set of our own,
// or nobody can see what is in it.
func NeedPoller(t testing.TB) {
	t.Helper()
	NeedPidfd(t)
	if err := epoll(); err != nil {
		Lack(t, "no epoll set: ", err)
	}
}

var epoll = sync.OnceValue(func() error {
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	defer unix.Close(set)
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.EpollCtl(set, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	if n := PolledWaits(); n != 1 {
		return fmt.Errorf("/proc/self/fdinfo shows %d pidfds in it", n)
	}
	if _, err := unix.EpollWait(set, make([]unix.EpollEvent, 1), 0); err != nil {
		return fmt.Errorf("epoll_wait: %w", err)
	}
	return nil
})

// IsInit reports whether this is the first process of its pid name space, to which
// orphans go.
func IsInit() bool { return os.Getpid() == 1 }

// OwnProc reports whether /proc shows the pid name space of this process.
func OwnProc() bool {
	self, _ := os.Readlink("/proc/self")
	return self == strconv.Itoa(os.Getpid())
}

// NeedOwnProc skips the test where /proc cannot tell of this process's children.
func NeedOwnProc(t testing.TB) {
	t.Helper()
	if !OwnProc() {
		Lack(t, "/proc does not show this pid name space")
	}
}

// NeedCapability skips the test where this process does not have the capability,
// whoever its user is.
func NeedCapability(t testing.TB, name string, bit uint) {
	t.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		Lack(t, "cannot tell the capabilities: ", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "CapEff:"); ok {
			effective, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			if effective>>bit&1 == 0 {
				Lack(t, "without ", name)
			}
			return
		}
	}
	Lack(t, "cannot tell the capabilities")
}

// NeedAdmin skips the test where name spaces cannot be made and nothing can be mounted.
func NeedAdmin(t testing.TB) {
	t.Helper()
	NeedCapability(t, "CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN)
	if err := newNamespaces(t); err != nil {
		Lack(t, "no name spaces of its own: ", err)
	}
}

func newNamespaces(t testing.TB) error {
	c := Command(t, "exit", "0")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	return c.Run()
}

// NeedSeccomp skips the test where no system call can be refused to a process.
func NeedSeccomp(t testing.TB) {
	t.Helper()
	out, err := Command(t, "seccomp").CombinedOutput()
	if err != nil {
		Lack(t, "no seccomp filter: ", string(out), err)
	}
}

// helperSeccomp refuses itself a system call, and succeeds if that is refused.
func helperSeccomp([]string) int {
	if err := Deny(true, []Denial{{Call: unix.SYS_GETPRIORITY, Errno: unix.ENFILE}}); err != nil {
		return Complain(err)
	}
	if _, err := unix.Getpriority(unix.PRIO_PROCESS, 0); !errors.Is(err, unix.ENFILE) {
		return Complain("the call is not refused: ", err)
	}
	return 0
}

// NeedDescriptors skips the test where this process cannot have so many more.
func NeedDescriptors(t testing.TB, n int) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		Lack(t, "prlimit: ", err)
	}
	if have := limit.Cur - min(limit.Cur, uint64(Descriptors())); have < uint64(n) {
		Lack(t, fmt.Sprintf("%d descriptors are left, and %d are needed", have, n))
	}
}

// NeedProgram skips the test where there is no such program.
func NeedProgram(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		Lack(t, err)
	}
}
