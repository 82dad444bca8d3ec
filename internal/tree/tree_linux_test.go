package tree

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// polite says that it is ready, and when it is asked to end, that it does.
const polite = `sh -c 'trap "echo clean; exit" TERM; echo ready; while :; do sleep 0.01; done'`

// ended kills the tree and checks that nobody of pids is left, and that this is known.
func (r *run) ended(t *testing.T, pids ...int) {
	t.Helper()
	if err := r.Kill(); err != nil {
		t.Error("Kill:", err)
	}
	r.awaitExit(t)
	eventually(t, "nobody is left", func() bool { _, left := r.Member(); return !left })
	for _, pid := range pids {
		if isAlive(pid) {
			t.Errorf("%d is alive", pid)
		}
	}
}

func TestKind(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind, attr *syscall.SysProcAttr) {
		c := sh("read x")
		c.SysProcAttr = attr
		r := launch(t, c, false)
		if r.Kind() != kind {
			t.Errorf("it is a %v", r.Kind())
		}
	})
}

func TestSignalReachesAll(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind, attr *syscall.SysProcAttr) {
		for _, leader := range []string{"alive", "a zombie"} {
			leave := ""
			if kind == Cgroup {
				leave = "setsid "
			}
			c := sh(polite + " & " + leave + polite + " & read x")
			c.SysProcAttr = attr
			r := launch(t, c, false)
			r.line(t)
			r.line(t)
			if leader == "a zombie" {
				r.letGo(t)
			}
			if err := r.Signal(syscall.SIGTERM); err != nil {
				t.Errorf("leader is %s: %v", leader, err)
			}
			if a, b := r.line(t), r.line(t); a != "clean" || b != "clean" {
				t.Errorf("leader is %s: %q, %q", leader, a, b)
			}
			r.ended(t)
		}
	})
}

// The group of a zombie can be signalled, and nobody hears it: so Member is asked first.
func TestOnlyAZombieIsLeft(t *testing.T) {
	eachKind(t, func(t *testing.T, _ Kind, attr *syscall.SysProcAttr) {
		c := sh("read x")
		c.SysProcAttr = attr
		r := launch(t, c, false)
		if err := r.Signal(syscall.Signal(0)); err != nil {
			t.Error("while it runs:", err)
		}
		r.letGo(t)
		if p, left := r.Member(); p != nil || left {
			t.Errorf("Member: %v, %v", p, left)
		}
		r.cmd.Wait()
		if err := r.Signal(syscall.SIGTERM); err != os.ErrProcessDone {
			t.Errorf("reaped: %v", err)
		}
	})
}

// No stranger's group is signalled when the leader's id may be another's.
func TestSignalAfterTheLeaderWasReaped(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind, attr *syscall.SysProcAttr) {
		c := sh(polite + " & read x")
		c.SysProcAttr = attr
		r := launch(t, c, false)
		r.line(t)
		r.letGo(t)
		r.cmd.Wait()
		err := r.Signal(syscall.SIGTERM)
		if kind == Cgroup {
			if err != nil || r.line(t) != "clean" {
				t.Error(err)
			}
			return
		}
		if err != os.ErrProcessDone {
			t.Error(err)
		}
		// Somebody has to end it.
		if err := syscall.Kill(-r.pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	})
}

// Somebody else has reaped the leader: the rest is found by what is not a number.
func TestStolenLeader(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind, attr *syscall.SysProcAttr) {
		needPidfds(t)
		c := sh(polite + " & read x")
		c.SysProcAttr = attr
		r := launch(t, c, false)
		r.line(t)
		r.input.Close()
		if pid, err := syscall.Wait4(r.pid, nil, 0, nil); pid != r.pid {
			t.Fatal(err)
		}
		if err := signalGroup(r.leader, r.pid, 0); err == os.ErrProcessDone && kind == ProcessGroup {
			syscall.Kill(-r.pid, syscall.SIGKILL)
			t.Skip("before Linux 6.9, the rest cannot be signalled without risk")
		}
		if err := r.Signal(syscall.SIGTERM); err != nil || r.line(t) != "clean" {
			t.Error(err)
		}
	})
}

// A leader that joins another group is still reached, and so are those it has left.
func TestLeaderInAnotherGroup(t *testing.T) {
	eachKind(t, func(t *testing.T, _ Kind, attr *syscall.SysProcAttr) {
		for _, left := range []bool{false, true} {
			c := helper("join another group")
			if left {
				c.Args = append(c.Args, "leave one behind")
			}
			c.SysProcAttr = attr
			r := launch(t, c, false)
			pid, want := r.pid, r.pidLine(t)
			if left {
				pid = r.pidLine(t)
			}
			if pgid, _ := unix.Getpgid(r.pid); pgid != want {
				t.Fatalf("it is in group %d", pgid)
			}
			if err := r.Signal(syscall.SIGCONT); err != nil {
				t.Error("signal:", err)
			}
			r.ended(t, pid)
			syscall.Kill(want, syscall.SIGKILL)
		}
	})
}

func init() {
	helpers["join another group"] = func() {
		other := exec.Command("sleep", "60")
		other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := other.Start(); err != nil {
			fmt.Println(err)
		}
		var pids []int
		if len(os.Args) > 1 {
			c := exec.Command("sleep", "60")
			c.Start()
			pids = append(pids, c.Process.Pid)
		}
		if err := syscall.Setpgid(0, other.Process.Pid); err != nil {
			fmt.Println(err)
		}
		fmt.Println(other.Process.Pid)
		for _, pid := range pids {
			fmt.Println(pid)
		}
		time.Sleep(time.Minute)
	}
}

// Nobody gets away by forking, nor, from a cgroup, by setsid.
func TestKillWhileTheyFork(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind, attr *syscall.SysProcAttr) {
		leave := ""
		if kind == Cgroup {
			leave = "setsid "
		}
		for range 10 {
			c := sh(`mark=` + t.Name() + `; for i in 1 2 3 4 5 6 7 8; do ` + leave + `sh -c 'trap "" TERM INT; while :; do (:) & done' & done; echo ready; read x`)
			c.SysProcAttr = attr
			r := launch(t, c, false)
			r.line(t)
			if err := r.Kill(); err != nil {
				t.Fatal(err)
			}
			r.awaitExit(t)
			r.ended(t)
			r.cmd.Wait()
			r.Close()
		}
	})
}

// A tree can be ended, and is known to have, without a descriptor.
func TestEndWithoutDescriptors(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind, attr *syscall.SysProcAttr) {
		if !alone(t, nil) {
			return
		}
		leave := ""
		if kind == Cgroup {
			leave = "setsid "
		}
		c := sh(leave + "sh -c 'echo $$; exec sleep 60' & read x")
		c.SysProcAttr = attr
		r := launch(t, c, false)
		pid := r.pidLine(t)
		r.letGo(t)
		withoutDescriptors(t, func() {
			if p, left := r.Member(); p != nil || !left {
				t.Errorf("Member: %v, %v", p, left)
			}
			if err := r.Signal(syscall.SIGCONT); err != nil {
				t.Error("Signal:", err)
			}
			if err := r.Kill(); err != nil {
				t.Error("Kill:", err)
			}
			eventually(t, "nobody is left", func() bool { _, left := r.Member(); return !left })
		})
		eventually(t, "it is dead", func() bool { return !isAlive(pid) })
	})
}

// The start of the first process, without descriptors, does not decide for those
// that come after it.
func TestKindAfterAFirstStartWithoutDescriptors(t *testing.T) {
	needCgroup(t)
	if !alone(t, nil) {
		return
	}
	withoutDescriptors(t, func() {
		l, err := Prepare(nil, "", true, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := start(l, exec.Command("/bin/true")); err == nil {
			t.Error("it was started")
		}
		l.Abort()
	})
	if r := launch(t, sh("read x"), false); r.Kind() != Cgroup {
		t.Errorf("it is a %v", r.Kind())
	}
}

// A cgroup promises that Signal reaches all, which takes pidfds.
func TestKindWithoutPidfds(t *testing.T) {
	needProc(t)
	if os.Getenv(denyEnv) == "" {
		needCgroup(t)
	}
	for _, call := range []struct {
		name string
		nr   int
	}{{"pidfd_open", unix.SYS_PIDFD_OPEN}, {"pidfd_send_signal", unix.SYS_PIDFD_SEND_SIGNAL}, {"clone3", unix.SYS_CLONE3}} {
		for _, errno := range []syscall.Errno{unix.EPERM, unix.ENOSYS} {
			if call.nr == unix.SYS_CLONE3 && errno == unix.EPERM {
				continue // with that, glibc can start no thread
			}
			t.Run(call.name+" "+unix.ErrnoName(errno), func(t *testing.T) {
				if !alone(t, nil, deny(errno, call.nr)) {
					return
				}
				c := sh(polite + " & read x")
				r := launch(t, c, false)
				r.line(t)
				if r.Kind() != ProcessGroup {
					t.Fatalf("it is a %v", r.Kind())
				}
				r.letGo(t)
				if p, left := r.Member(); !left || p != nil && call.nr != unix.SYS_CLONE3 {
					t.Errorf("Member: %v, %v", p, left)
				}
				if err := r.Signal(syscall.SIGTERM); err != nil || r.line(t) != "clean" {
					t.Error("Signal:", err)
				}
				r.ended(t)
			})
		}
	}
}

// Abandon leaves the processes alone.
func TestAbandon(t *testing.T) {
	eachKind(t, func(t *testing.T, _ Kind, attr *syscall.SysProcAttr) {
		c := sh("echo $$; read x; echo alive; read x")
		c.SysProcAttr = attr
		r := launch(t, c, false)
		pid := r.pidLine(t)
		var dir string
		if r.cgroup != nil {
			dir = cgroupDir(r.cgroup)
		}
		r.Abandon()
		r.Close() // does nothing
		fmt.Fprintln(r.input)
		if r.line(t) != "alive" {
			t.Error("it is not")
		}
		r.input.Close()
		r.cmd.Wait()
		if dir != "" {
			if _, err := os.Stat(dir); err != nil {
				t.Fatal("while it lived:", err)
			}
			launch(t, sh("read x"), false)
			if _, err := os.Stat(dir); err == nil {
				t.Error("the cgroup is left after another start:", dir, pid)
			}
		}
	})
}

// What was made for a process that cannot be started is given back.
func TestAbortLeavesNothing(t *testing.T) {
	needCgroup(t)
	if !alone(t, nil) { // it counts
		return
	}
	exec.Command("true").Run() // the runtime's own descriptors
	before := openFiles(t)
	l, err := Prepare(nil, "", true, true)
	if err != nil {
		t.Fatal(err)
	}
	dir := cgroupDir(l.tree.cgroup)
	if err := start(l, exec.Command("/nonexistent/program")); !errors.Is(err, syscall.ENOENT) {
		t.Fatal(err)
	}
	l.Abort()
	if _, err := os.Stat(dir); err == nil {
		t.Error("left:", dir)
	}
	if after := openFiles(t); after != before {
		t.Errorf("descriptors before:\n%safter:\n%s", before, after)
	}
	if left, _ := filepath.Glob(filepath.Dir(dir) + fmt.Sprintf("/xexec-%d-*", os.Getpid())); left != nil {
		t.Error("left:", left)
	}
}

func openFiles(t *testing.T) string {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var s strings.Builder
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			fmt.Fprintln(&s, e.Name(), to)
		}
	}
	return s.String()
}

// SIGKILL ends who is frozen, too.
func TestKillFrozenCgroup(t *testing.T) {
	needProc(t)
	needCgroup(t)
	c := sh("setsid sh -c 'echo $$; exec sleep 60' & read x")
	r := launch(t, c, false)
	pid := r.pidLine(t)
	if err := os.WriteFile(cgroupDir(r.cgroup)+"/cgroup.freeze", []byte("1"), 0); err != nil {
		t.Skip(err)
	}
	eventually(t, "it is frozen", func() bool {
		b, _ := os.ReadFile(cgroupDir(r.cgroup) + "/cgroup.events")
		return strings.Contains(string(b), "frozen 1")
	})
	began := time.Now()
	r.ended(t, pid)
	if d := time.Since(began); d > time.Second {
		t.Errorf("SIGKILL took %v", d)
	}
}

// A start that fails is tried again without the cgroup, in case that is why: also if
// somebody has removed it.
func TestStartWithoutItsCgroup(t *testing.T) {
	needCgroup(t)
	const removed = unix.ENOENT
	for _, errno := range []syscall.Errno{unix.EPERM, unix.EBUSY, removed} {
		l, err := Prepare(nil, "", true, false)
		if err != nil {
			t.Fatal(err)
		}
		dir := cgroupDir(l.tree.cgroup)
		if errno == removed {
			if err := syscall.Rmdir(dir); err != nil {
				t.Fatal(err)
			}
		}
		c := exec.Command("true")
		calls := 0
		_, err = l.Start(func(attr *syscall.SysProcAttr) (*os.Process, error) {
			if calls++; calls == 1 && errno != removed {
				return nil, forkError(errno)
			}
			if calls == 2 && attr.UseCgroupFD {
				t.Errorf("%v: %+v", errno, attr)
			}
			again := exec.Command("true")
			again.SysProcAttr = attr
			err := again.Start()
			c = again
			if calls == 1 && !errors.Is(err, errno) {
				t.Errorf("the cgroup was removed: %v", err)
			}
			return again.Process, err
		}, uncanceled)
		if err != nil || calls != 2 || l.Tree().Kind() != ProcessGroup {
			t.Errorf("%v: %v after %d calls; it is a %v", errno, err, calls, l.Tree().Kind())
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("left:", dir)
		}
		c.Wait()
		l.Tree().Close()
	}
}

func TestMissingDirThatCannotBeSeen(t *testing.T) {
	needThreads(t)
	if !alone(t, asNobody(t)) {
		return
	}
	dir, err := os.MkdirTemp("/tmp", "tree-test-")
	if err != nil {
		t.Fatal(err)
	}
	os.Mkdir(dir+"/sub", 0o755)
	os.Chmod(dir, 0)
	defer func() { os.Chmod(dir, 0o755); os.RemoveAll(dir) }()
	for _, dir := range []string{dir, dir + "/sub"} {
		std := exec.Command("/bin/true")
		std.Dir = dir
		want := std.Start()
		l, err := Prepare(nil, dir, true, true)
		if err != nil {
			t.Fatal(err)
		}
		c := exec.Command("/bin/true")
		c.Dir = dir
		if err := start(l, c); fmt.Sprint(err) != fmt.Sprint(want) || err == nil {
			t.Errorf("%v, os/exec says %v", err, want)
		}
		l.Abort()
	}
}
