package tree

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asReaper runs the calling test in a process that orphans are given to.
func asReaper(t *testing.T, f func(t *testing.T)) {
	t.Run("subreaper", func(t *testing.T) {
		if alone(t, nil) {
			if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
				t.Skip(err)
			}
			f(t)
		}
	})
	t.Run("PID 1", func(t *testing.T) {
		if os.Getuid() != 0 && os.Getpid() != 1 {
			t.Skip("takes root")
		}
		if alone(t, &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}) {
			if os.Getpid() != 1 {
				t.Fatal("we are", os.Getpid())
			}
			if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
				t.Fatal(err)
			}
			if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
				t.Fatal(err)
			}
			f(t)
		}
	})
}

// children returns our children, by what the kernel says of each.
func children() (pids []int) {
	all, _ := processes()
	for _, pid := range all {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		fields := strings.Fields(string(b[max(0, bytes.LastIndexByte(b, ')')):]))
		if len(fields) > 2 && fields[2] == fmt.Sprint(os.Getpid()) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// waitAny returns the zombies that a wait for any child finds.
func waitAny() (pids []int) {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 {
			return pids
		}
		if err == nil {
			pids = append(pids, pid)
		}
	}
}

// wait4 waits for a zombie, which is there.
func wait4(pid int) (int, error) { return syscall.Wait4(pid, nil, syscall.WNOHANG, nil) }

// end takes the tree through its end, as its caller has to.
func (r *run) end(t testing.TB) {
	r.awaitExit(t)
	if err := r.Kill(); err != nil {
		t.Error(err)
	}
	// At once, when they are hardly dead.
	for end := time.Now().Add(10 * time.Second); ; {
		if _, left := r.Member(); !left {
			break
		}
		if time.Now().After(end) {
			t.Fatal("somebody is left")
		}
	}
	r.ReapOrphans()
	if err := r.cmd.Wait(); errors.Is(err, syscall.ECHILD) {
		t.Error("the leader:", err)
	}
	r.Close()
	r.launch.Reaped()
}

// Trees leave no zombie, one after the other and many at a time.
func TestReapOrphans(t *testing.T) {
	asReaper(t, func(t *testing.T) {
		eachKind(t, func(t *testing.T, kind Kind, attr *syscall.SysProcAttr) {
			leave := ""
			if kind == Cgroup {
				leave = "setsid "
			}
			run := func() {
				c := sh("sleep 60 & (sleep 60 & sleep 60 & sleep 0.001) & " + leave + "sh -c 'sleep 60 & sleep 60' & exit 0")
				c.Stdin, c.Stdout = os.Stdin, os.Stderr
				c.SysProcAttr = attr
				launch(t, c, false).end(t)
			}
			for range 10 {
				run()
			}
			if z := waitAny(); z != nil {
				t.Fatalf("one after the other: %d zombies", len(z))
			}
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for range 5 {
						run()
					}
				})
			}
			all.Wait()
			if z := waitAny(); z != nil {
				t.Errorf("eight at a time: %d zombies", len(z))
			}
			if c := children(); len(c) != 0 {
				t.Errorf("children: %v", c)
			}
		})
	})
}

// Who has left the cgroup may need a moment until he can be reaped; who does not die
// is not waited for.
func TestReapOrphansThatAreDying(t *testing.T) {
	needProc(t)
	needCgroup(t)
	if !alone(t, nil) {
		return
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skip(err)
	}
	r := launch(t, sh("(sleep 60 & echo $!); read x"), false)
	orphan := r.pidLine(t)
	r.letGo(t)
	within(t, "ReapOrphans", r.ReapOrphans)
	if !isAlive(orphan) {
		t.Fatal("it is dead")
	}
	time.AfterFunc(time.Millisecond, func() { syscall.Kill(orphan, syscall.SIGKILL) })
	r.ReapOrphans()
	if s := state(orphan); s != "" {
		t.Errorf("its state is %s", s)
	}
}

// What is not the tree's stays: the program's own children, also in the tree's group
// or cgroup; orphans of others.
func TestOwnChildrenAreNotReaped(t *testing.T) {
	needPidfds(t) // by which they are told
	asReaper(t, func(t *testing.T) {
		eachKind(t, func(t *testing.T, kind Kind, attr *syscall.SysProcAttr) {
			for _, named := range []bool{false, true} { // by Member, before it dies
				for _, thread := range []string{"first", "other"} {
					t.Run(fmt.Sprintf("%s thread, named %v", thread, named), func(t *testing.T) {
						c := sh("(sleep 60 & echo $!) ; read x")
						c.SysProcAttr = attr
						r := launch(t, c, false)
						orphan := r.pidLine(t)

						own := exec.Command("sleep", "60")
						own.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: r.pid}
						if kind == Cgroup {
							own.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: r.cgroup.FD()}
						}
						var raw int // one without a pidfd
						onThread(thread == "first", func() {
							if err := own.Start(); err != nil {
								t.Error(err)
							}
							if thread == "other" {
								var err error
								if raw, err = syscall.ForkExec("/bin/sleep", []string{"sleep", "60"}, &syscall.ProcAttr{Sys: own.SysProcAttr}); err != nil {
									t.Error(err)
								}
							}
						})
						out, err := sh("sleep 60 >/dev/null 2>&1 & echo $!").Output()
						if err != nil {
							t.Fatal(err)
						}
						var stranger int
						fmt.Sscan(string(out), &stranger)
						syscall.Kill(stranger, syscall.SIGKILL)
						eventually(t, "it is a zombie", func() bool { return state(stranger) == "Z" })

						if named {
							r.letGo(t)
							all := 2
							if raw != 0 {
								all = 3
							}
							for seen := map[int]bool{}; len(seen) < all; {
								p, _ := r.Member()
								if p == nil {
									t.Fatal("nobody is named")
								}
								seen[p.Pid] = true
								syscall.Kill(p.Pid, syscall.SIGKILL)
								eventually(t, "it is dead", func() bool { return !isAlive(p.Pid) })
							}
						}
						r.input.Close()
						r.end(t)
						if state(orphan) != "" {
							t.Error("the orphan is left")
						}
						if err := own.Wait(); err == nil || err.Error() != "signal: killed" {
							t.Error("Wait for our own child:", err)
						}
						if raw != 0 {
							if pid, err := wait4(raw); pid != raw {
								t.Error("wait4 for our own child:", err)
							}
						}
						if pid, err := wait4(-1); pid != stranger {
							t.Errorf("wait4(-1): %d, %v; want %d", pid, err, stranger)
						}
					})
				}
			}
		})
	})
}

// The leader is never taken for an orphan, though the first thread has forked it, and
// there is no pidfd.
func TestLeaderIsNoOrphan(t *testing.T) {
	needProc(t)
	if os.Getenv("TREE_TEST_ALONE") == "" {
		needPidfds(t) // also for want of seccomp(2) in emulators
	}
	if !alone(t, nil, deny(unix.ENOSYS, unix.SYS_PIDFD_OPEN)) {
		return
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skip(err)
	}
	var r *run
	onThread(true, func() { r = launch(t, sh("sleep 60 & exit 0"), false) })
	r.end(t)
	if z := waitAny(); z != nil {
		t.Error("zombies:", z)
	}
}

// onThread calls f on the first thread of the process, or on another.
func onThread(first bool, f func()) {
	if first {
		done := make(chan struct{})
		onFirst <- func() { defer close(done); f() }
		<-done
		return
	}
	f() // tests run on other threads
}

// The first thread is kept for what tests give to it.
func init() { runtime.LockOSThread() }

var onFirst = make(chan func())

func serveFirst(code <-chan int) int {
	for {
		select {
		case f := <-onFirst:
			f()
		case c := <-code:
			return c
		}
	}
}

// Where orphans are not given to us, no child is taken for one.
func TestReapOrphansElsewhere(t *testing.T) {
	needProc(t)
	if adoptsOrphans() {
		t.Skip("orphans are given to us")
	}
	r := launch(t, sh("read x"), false)
	attr := &syscall.SysProcAttr{Setpgid: true, Pgid: r.pid}
	if r.cgroup != nil {
		attr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: r.cgroup.FD()}
	}
	var own int
	onThread(true, func() {
		var err error
		if own, err = syscall.ForkExec("/bin/true", nil, &syscall.ProcAttr{Sys: attr}); err != nil {
			t.Fatal(err)
		}
	})
	eventually(t, "it is a zombie", func() bool { return state(own) == "Z" })
	r.ReapOrphans()
	if pid, err := wait4(own); pid != own {
		t.Error(err)
	}
}

// What /proc/self/task says agrees with what each process says.
func TestAdoptedChildren(t *testing.T) {
	needPidfds(t)
	needProc(t)
	if !alone(t, nil) {
		return
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skip(err)
	}
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip(err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid())); err != nil {
		t.Skip(err)
	}
	out, err := sh("sleep 60 >/dev/null 2>&1 & echo $!; sleep 60 >/dev/null 2>&1 & echo $!").Output()
	if err != nil {
		t.Fatal(err)
	}
	var own *exec.Cmd
	onThread(false, func() {
		own = exec.Command("sleep", "60")
		own.Start()
	})
	var pids []int
	for f := range strings.FieldsSeq(string(out)) {
		var pid int
		fmt.Sscan(f, &pid)
		pids = append(pids, pid)
		defer syscall.Kill(pid, syscall.SIGKILL)
	}
	defer own.Process.Kill()
	if got := adoptedChildren(); !slices.Equal(got, pids) {
		t.Errorf("adopted: %v, want %v", got, pids)
	}
	if all := children(); len(all) != 3 || !slices.Contains(all, own.Process.Pid) {
		t.Errorf("all: %v, want %v and %v", all, pids, own.Process.Pid)
	}
	if held := heldByPidfd(); len(held) != 1 || !held[own.Process.Pid] {
		t.Errorf("held by pidfds: %v, want %v", held, own.Process.Pid)
	}
}
