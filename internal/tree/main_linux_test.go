package tree

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/xexec/internal/tree/cgroup"
)

// exited reports whether the leader has exited, or was reaped.
func (r *run) exited() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, r.pid, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	return err == unix.ECHILD || err == nil && info.Signo != 0
}

// eachKind runs f for every kind of tree that can be made here. Give c's attributes
// to the command.
func eachKind(t *testing.T, f func(t *testing.T, kind Kind, attr *syscall.SysProcAttr)) {
	needProc(t)
	needThreads(t)
	t.Run("group", func(t *testing.T) { f(t, ProcessGroup, plainGroup(t)) })
	t.Run("cgroup", func(t *testing.T) { needCgroup(t); f(t, Cgroup, nil) })
}

// needProc skips the test where /proc does not tell of our processes.
func needProc(t testing.TB) {
	t.Helper()
	if self, err := os.Readlink("/proc/self"); err != nil || self != fmt.Sprint(os.Getpid()) {
		t.Skipf("/proc is not of our pid namespace: we are %d, it says %s", os.Getpid(), self)
	}
}

// needThreads skips the test where a user may have few threads and processes.
func needThreads(t testing.TB) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &limit); err == nil && limit.Cur < 1000 {
		t.Skip("RLIMIT_NPROC is", limit.Cur)
	}
}

func needCgroup(t testing.TB) {
	t.Helper()
	g, why := usableCgroup()
	if g == nil {
		t.Skip(why)
	}
	g.Remove()
}

// usableCgroup returns a cgroup in which processes can be started, or says why there is
// none.
func usableCgroup() (g *cgroup.Group, why string) {
	if g = cgroup.New(); g == nil {
		return nil, "no cgroup can be made here"
	}
	c := exec.Command("true")
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: g.FD()}
	if err := c.Run(); err != nil {
		g.Remove()
		return nil, fmt.Sprint("no process can be started in a cgroup: ", err)
	}
	return g, ""
}

// plainGroup returns the attributes of a tree that is a process group: where it could be
// in a cgroup, it is to be in our own.
func plainGroup(t testing.TB) *syscall.SysProcAttr {
	g, _ := usableCgroup()
	if g == nil {
		return nil
	}
	defer g.Remove()
	dir, err := os.Open(filepath.Dir(cgroupDir(g)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
}

// cgroupDir returns the directory of g.
func cgroupDir(g *cgroup.Group) string {
	dir, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", g.FD()))
	return dir
}

// withoutDescriptors calls f while no file can be opened.
func withoutDescriptors(t *testing.T, f func()) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &old); err != nil {
		t.Fatal(err)
	}
	unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Max: old.Max}, nil)
	defer unix.Prlimit(0, unix.RLIMIT_NOFILE, &old, nil)
	f()
}

func needPidfds(t testing.TB) {
	t.Helper()
	p, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	works := false
	p.WithHandle(func(fd uintptr) { works = unix.PidfdSendSignal(int(fd), 0, nil, 0) == nil })
	if !works {
		t.Skip("no pidfds")
	}
}

// state returns the letter in /proc/pid/stat, "" if there is no such process.
func state(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	letter, _, _ := strings.Cut(rest, " ")
	return letter
}

func isAlive(pid int) bool { s := state(pid); return s != "" && s != "Z" && s != "X" }
