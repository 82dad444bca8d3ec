package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// NeedCgroup skips the test where no process can be started in a cgroup of its own,
// or none of a tree is, because its members could not be signalled.
func NeedCgroup(t testing.TB) {
	t.Helper()
	NeedPidfd(t)
	if CgroupDir() == "" {
		Lack(t, "no cgroup can be made here, or no process started in it")
	}
}

// Cgroups returns those that trees of process pid have made below dir, and those
// that are left of a killed process that had that id once.
func Cgroups(dir string, pid int) []string {
	found, _ := filepath.Glob(fmt.Sprintf("%s/xexec-%d-*", dir, pid))
	return found
}

// NewCgroups returns a function that returns those that trees of process pid have
// made below dir since.
func NewCgroups(dir string) func(pid int) []string {
	before, _ := filepath.Glob(dir + "/xexec-*")
	return func(pid int) []string {
		return slices.DeleteFunc(Cgroups(dir, pid), func(dir string) bool { return slices.Contains(before, dir) })
	}
}

// NewTestCgroup makes a cgroup that is removed when the test ends.
func NewTestCgroup(t testing.TB) string {
	dir, err := os.MkdirTemp(CgroupDir(), "xexec-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Rmdir(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// CgroupDir is the directory of our cgroup in a version 2 hierarchy, "" if no
// cgroup can be made there, or no process started in it (clone3 may be
// forbidden).
var CgroupDir = sync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(b)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue
		}
		for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
			// Its name is not made of our id: several may be the first of their name space.
			probe, err := os.MkdirTemp(filepath.Join(mount, path), "xexec-test-*")
			if err != nil {
				continue
			}
			kill, err := os.OpenFile(probe+"/cgroup.kill", os.O_WRONLY|syscall.O_NOFOLLOW, 0)
			kill.Close()
			syscall.Rmdir(probe)
			if err == nil && startsIn(filepath.Dir(probe)) {
				return filepath.Dir(probe)
			}
		}
	}
	return ""
})

// startsIn reports whether a process can be started in a cgroup, which takes
// clone3(2).
func startsIn(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	c := exec.Command("/bin/true")
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	return c.Run() == nil
}
