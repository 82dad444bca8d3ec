package xexec_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/xexec"
)

// cgroupDir is the directory of our cgroup in a version 2 hierarchy, "" if no
// cgroup can be made there, or no process started in it (clone3 may be
// forbidden).
var cgroupDir = sync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(b)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue
		}
		for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
			probe := filepath.Join(mount, path, "xexec-test-"+strconv.Itoa(os.Getpid()))
			if os.Mkdir(probe, 0o755) != nil {
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

func treeKinds() []xexec.TreeKind {
	if cgroupDir() == "" {
		return []xexec.TreeKind{xexec.ProcessGroup}
	}
	return []xexec.TreeKind{xexec.ProcessGroup, xexec.Cgroup}
}

// withoutCgroup returns the attributes of a child that is to be in our cgroup.
func withoutCgroup(t testing.TB) *syscall.SysProcAttr {
	if cgroupDir() == "" {
		return nil
	}
	dir, err := os.Open(cgroupDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
}

// marked returns the living processes that have mark in their environment.
func marked(mark string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil && bytes.Contains(b, []byte(mark)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// zombie reports whether pid has exited and is unreaped.
func zombie(pid int) bool {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return strings.HasPrefix(string(b[bytes.LastIndexByte(b, ')')+1:]), " Z")
}

// With no descriptor left, a tree is given its time, then ended whole.
func TestTreeEndsWithoutDescriptors(t *testing.T) {
	for _, kind := range treeKinds() {
		t.Run(kind.String(), func(t *testing.T) {
			expectClean(t)
			tt := newTreeTest(t, kind)
			withoutDescriptors := func(f func()) {
				t.Helper()
				var old unix.Rlimit
				if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &old); err != nil {
					t.Fatal(err)
				}
				unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Max: old.Max}, nil)
				defer unix.Prlimit(0, unix.RLIMIT_NOFILE, &old, nil)
				f()
			}
			c := tt.sh(politely(deaf))
			tt.start(c)
			// The time is over when the leader has left politely, and the other not.
			ctx, cancel := context.WithCancelCause(t.Context())
			withoutDescriptors(func() {
				var waiter sync.WaitGroup
				waiter.Go(func() { waitForExit(t, c.Process.Pid); cancel(errCause) })
				if err := c.Shutdown(ctx); err != errCause {
					t.Errorf("Shutdown: %v", err)
				}
				waiter.Wait()
			})
			eventually(t, "nobody is left", func() bool { return marked(tt.mark) == nil })
			if err := c.Wait(); err != nil { // the leader was polite
				t.Errorf("Wait: %v", err)
			}

			leave := ""
			if kind == xexec.Cgroup {
				leave = "setsid "
			}
			c = tt.sh(leave + `sh -c 'echo ready; exec sleep 1000' & exit 0`)
			tt.start(c)
			withoutDescriptors(func() {
				if err := c.Wait(); err != nil {
					t.Errorf("Wait: %v", err)
				}
			})
			eventually(t, "nobody is left", func() bool { return marked(tt.mark) == nil })
		})
	}
}
