package xexec_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	registerHelper("sandbox", helperSandbox)
}

// sandboxes are what a child test process can do to its own environment, to be
// like another system. Those that need root are left out without it.
var sandboxes = map[string]struct {
	root bool
	do   func() error
}{
	"no pidfd": {false, func() error { // Linux 5.2, gVisor, Android 11
		return deny(true, withoutPidfd[:2])
	}},
	"no pidfd groups": {false, func() error { // Linux 6.8
		return deny(true, []denial{{call: unix.SYS_PIDFD_SEND_SIGNAL, errno: unix.EINVAL, arg: 3, bits: ^uint32(0)}})
	}},
	"no clone3": {false, func() error {
		return deny(true, []denial{{call: sysClone3, errno: unix.ENOSYS}})
	}},
	"no waitid": {false, func() error {
		return deny(true, []denial{{call: unix.SYS_WAITID, errno: unix.ENOSYS}})
	}},
	"no cgroup.kill": {false, func() error { // Linux 5.13; nothing else is opened so
		return deny(true, []denial{{call: unix.SYS_OPENAT, errno: unix.ENOENT, arg: 2,
			value: unix.O_WRONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_LARGEFILE}})
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

// helperSandbox replaces itself by another helper command, or the tests that
// match -run=regexp, in the sandbox.
func helperSandbox(args []string) int {
	runtime.LockOSThread()
	box := sandboxes[args[0]]
	if box.root {
		// Undone when the process ends.
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			fmt.Println("mount:", err)
			return 1
		}
	}
	if err := box.do(); err != nil {
		fmt.Println(args[0]+":", err)
		return 1
	}
	argv := append([]string{os.Args[0], helperArg}, args[1:]...)
	if run, ok := strings.CutPrefix(args[1], "-run="); ok {
		if os.Getenv("XEXEC_TEST_SANDBOX") != "" {
			fmt.Println("tests that run tests must not run themselves")
			return 1
		}
		os.Setenv("XEXEC_TEST_SANDBOX", args[0])
		os.Setenv(helperEnv, "")
		argv = []string{os.Args[0], "-test.run=" + run, "-test.count=1"}
	}
	fmt.Println(syscall.Exec("/proc/self/exe", argv, os.Environ()))
	return 1
}

// sandboxCmd returns a command that runs the test binary in the named sandbox.
func sandboxCmd(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	helperUsed.Store(args[0], true)
	c := stdHelperCmd(t, "sandbox", append([]string{name}, args...)...)
	if sandboxes[name].root {
		if os.Getuid() != 0 {
			t.Skip("needs root")
		}
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	}
	return c
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
