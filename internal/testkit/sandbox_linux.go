package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	share("sandbox", helperSandbox)
}

// A Sandbox is what a test process does to its own environment, to be like another
// system.
type Sandbox struct {
	Admin bool // it takes CAP_SYS_ADMIN
	Enter func() error
}

// Sandboxes are those that there are. The first few are the modes in which the gate
// runs all tests.
var Sandboxes = map[string]Sandbox{
	"pidfd":  {false, func() error { return Deny(true, WithoutPidfd) }},
	"epoll":  {false, func() error { return Deny(true, WithoutEpoll) }},
	"cgroup": {true, hideCgroups},
	"no pidfd": {false, func() error { // Linux 5.2, gVisor, Android 11
		return Deny(true, WithoutPidfd[:2])
	}},
	"no pidfd groups": {false, func() error { // Linux 6.8
		return Deny(true, []Denial{{Call: unix.SYS_PIDFD_SEND_SIGNAL, Errno: unix.EINVAL, Arg: 3, Bits: ^uint32(0)}})
	}},
	"no clone3": {false, func() error {
		return Deny(true, []Denial{{Call: SysClone3, Errno: unix.ENOSYS}})
	}},
	"no waitid": {false, func() error {
		return Deny(true, []Denial{{Call: unix.SYS_WAITID, Errno: unix.ENOSYS}})
	}},
	"no cgroup.kill": {false, func() error { // Linux 5.13; nothing else is opened only to write to it
		return Deny(true, []Denial{{Call: unix.SYS_OPENAT, Errno: unix.ENOENT, Arg: 2,
			Bits: unix.O_ACCMODE | unix.O_CREAT, Value: unix.O_WRONLY}})
	}},
	"read-only cgroups": {true, func() error {
		return eachCgroupMount(func(dir string) error {
			if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
				return err
			}
			return unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
		})
	}},
	"no cgroups": {true, func() error {
		return eachCgroupMount(func(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) })
	}},
	"hidden cgroups": {true, func() error {
		return eachCgroupMount(func(dir string) error { return unix.Mount("tmpfs", dir, "tmpfs", 0, "") })
	}},
	"other namespace": {true, func() error {
		return unix.Unshare(unix.CLONE_NEWCGROUP)
	}},
	"nothing": {false, func() error { return nil }},
}

// hideCgroups mounts an empty file system over the control groups.
func hideCgroups() error {
	return unix.Mount("none", "/sys/fs/cgroup", "tmpfs", unix.MS_RDONLY, "")
}

// MountProc mounts /proc anew, for a process that is the first of its pid name space
// and has a mount name space of its own.
func MountProc() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	return nil
}

// CannotEnter is the exit code of the helper command "sandbox" where the system does
// not let it in.
const CannotEnter = 77

// helperSandbox enters a sandbox, then becomes the helper command of its other
// arguments; or, if they are flags, the tests with these flags.
func helperSandbox(args []string) int {
	runtime.LockOSThread()
	box, ok := Sandboxes[args[0]]
	if !ok {
		return Complain("no sandbox ", args[0])
	}
	cannot := func(err error) int {
		fmt.Fprintf(os.Stderr, "%s: %v\n", args[0], err)
		return CannotEnter
	}
	if box.Admin {
		// Undone when the process ends.
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return cannot(err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return cannot(err)
		}
	}
	if err := box.Enter(); err != nil {
		return cannot(err)
	}
	argv := append([]string{os.Args[0], HelperArg}, args[1:]...)
	if strings.HasPrefix(args[1], "-test.") {
		os.Setenv(sandboxEnv, args[0])
		os.Unsetenv(HelperEnv)
		argv = append([]string{os.Args[0]}, args[1:]...)
	}
	return Complain(unix.Exec("/proc/self/exe", argv, os.Environ()))
}

// SandboxCmd returns a command that runs a helper command in the named sandbox.
func SandboxCmd(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	NeedSandbox(t, name)
	helperUsed.Store(args[0], true)
	return Command(t, "sandbox", append([]string{name}, args...)...)
}

// NeedSandbox skips the test where the sandbox cannot be had.
func NeedSandbox(t testing.TB, name string) {
	t.Helper()
	switch {
	case name == "nothing":
	case Sandboxes[name].Admin:
		NeedAdmin(t)
	default:
		NeedSeccomp(t)
	}
}

func eachCgroupMount(f func(dir string) error) error {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, " - cgroup2 ") {
			if err := f(strings.Fields(line)[4]); err != nil {
				return err
			}
		}
	}
	return nil
}
