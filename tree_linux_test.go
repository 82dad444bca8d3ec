package xexec_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() {
	testkit.Register("foreground", helperForeground)
	testkit.Register("job in front", helperJobInFront)
	testkit.Register("parent", helperParent)
}

func TestEscapesFromTheProcessGroup(t *testing.T) {
	t.Parallel()
	testkit.NeedCgroup(t)
	testkit.Deadline(t, testkit.Stuck)
	testkit.NeedProgram(t, "setsid")
	tt := xtest.NewTree(t, xexec.Cgroup)

	t.Run("leader exits", func(t *testing.T) {
		c := tt.Sh("setsid sleep 1000 & setsid setsid sleep 1000 & setsid sh -c 'sleep 1000 & sleep 1000 &' & echo out")
		tt.Soon(func() {
			if out, err := c.Output(); string(out) != "out\n" || err != nil {
				t.Errorf("%q, %v", out, err)
			}
		})
		tt.Gone()
	})
	t.Run("shutdown", func(t *testing.T) {
		c := tt.Sh("setsid " + xtest.InShell(xtest.Polite) + "; wait")
		w := tt.Start(c)
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Stuck)
		defer cancel()
		if err := c.Shutdown(ctx); err != nil || w.String() != "ready\nclean\n" {
			t.Errorf("Shutdown: %v, output %q", err, w)
		}
		tt.Gone()
	})
	t.Run("kill", func(t *testing.T) {
		c := tt.Sh("setsid " + xtest.InShell(xtest.Deaf) + "; wait")
		tt.Start(c)
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
		c.Wait()
		tt.Gone()
	})
	t.Run("without a cgroup", func(t *testing.T) {
		// The limit that the documentation names.
		gt := xtest.NewTree(t, xexec.ProcessGroup)
		c := gt.Sh("setsid sh -c 'echo ready; exec sleep 1000' & wait")
		gt.Start(c)
		testkit.Eventually(t, "sleep runs", func() bool { return len(testkit.Marked(gt.Mark)) == 2 })
		c.Stdout = nil
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
		testkit.Eventually(t, "the leader is gone", func() bool { return len(testkit.Marked(gt.Mark)) == 1 })
		for _, pid := range testkit.Marked(gt.Mark) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		testkit.Eventually(t, "sleep is gone, too", func() bool { return testkit.Marked(gt.Mark) == nil })
		c.Wait()
	})
}

// Cgroups are removed, whatever became of the command; also those that the
// command has made in its own.
func TestCgroupsAreRemoved(t *testing.T) {
	testkit.NeedCgroup(t) // not parallel: it counts
	testkit.Deadline(t, testkit.Stuck)
	made := testkit.NewCgroups(testkit.CgroupDir())
	count := func() int { return len(made(os.Getpid())) }
	start := func(c *xexec.Cmd) error {
		c.SetTree(true)
		return c.Start()
	}
	c := xexec.Command("sleep", "1000")
	if err := start(c); err != nil || count() != 1 {
		t.Errorf("%v, %d cgroups while one runs", err, count())
	}
	nested := filepath.Join(made(os.Getpid())[0], "nested", "deep")
	if err := os.MkdirAll(nested, 0o755); err != nil {
		t.Error(err)
	}
	c.Kill()
	c.Wait()

	broken := filepath.Join(t.TempDir(), "broken")
	os.WriteFile(broken, []byte("\x7fELF"), 0o777)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []*xexec.Cmd{
		xexec.Command(broken),
		xexec.Command("/nonexistent"),
		xexec.Command("no such command"),
		xexec.CommandContext(ended, "true"),
		{Path: broken, SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pgid: 1}},
		{Path: "/bin/sh", Dir: "/nonexistent"},
	} {
		if err := start(c); err == nil {
			t.Errorf("%v was started", c)
		}
	}
	if n := count(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// What a tree and a death with the parent need goes with the Cmd at the latest, also
// where os/exec's Wait has taken the status.
func TestOsExecsWaitLeavesNothingOfATree(t *testing.T) {
	for name, prepare := range map[string]func(*xexec.Cmd){
		"tree":   func(c *xexec.Cmd) { c.SetTree(true) },
		"parent": func(c *xexec.Cmd) { c.SetKillOnParentExit(true) },
		"both":   func(c *xexec.Cmd) { c.SetTree(true); c.SetKillOnParentExit(true) },
	} {
		t.Run(name, func(t *testing.T) {
			xtest.ExpectClean(t)
			runtime.LockOSThread() // else this may be the first thread, which a keeper cannot be then
			defer runtime.UnlockOSThread()
			var copied xexec.Cmd
			for range 5 {
				c := xexec.Command("true")
				prepare(c)
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				copied = *c
				copied.Pid()
				c.Std().Wait()
			}
			copied = xexec.Cmd{}
			copied.Pid()
			if !testkit.Collected(func() bool { return testkit.Goroutines("(*keeper)") == nil }) {
				t.Error("a thread is kept")
			}
		})
	}
}

// helperParent starts a command that is to die with it, says so, and waits to be
// killed.
func helperParent(args []string) int {
	runtime.LockOSThread() // most likely the first one, so none that is kept
	c := xexec.Command("sleep", "1000")
	c.SetKillOnParentExit(true)
	c.SetTree(args[0] == "tree")
	if err := c.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	if args[0] == "released" {
		c.Process.Release()
		c.Wait()
		time.Sleep(20 * time.Millisecond) // for a death that must not come
	}
	fmt.Println(c.Pid())
	select {}
}

func TestKillOnParentExit(t *testing.T) {
	testkit.NeedOwnProc(t)
	t.Parallel()
	for _, arg := range []string{"leader", "tree", "released"} {
		t.Run(arg, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)
			parent := testkit.Command(t, "parent", arg)
			out, err := parent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := parent.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			pid := 0
			if _, e := fmt.Sscan(line, &pid); err != nil || e != nil {
				t.Fatalf("%q, %v", line, err)
			}
			if !testkit.Alive(pid) {
				t.Error("the child has exited before its parent")
			}
			parent.Process.Kill()
			parent.Wait()
			for end := time.Now().Add(testkit.Stuck / 2); testkit.Alive(pid); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Error("the child lives on")
					syscall.Kill(pid, syscall.SIGKILL)
					break
				}
			}
			for _, dir := range testkit.Cgroups(testkit.CgroupDir(), parent.Process.Pid) {
				syscall.Rmdir(dir) // the one who would have removed it is dead
			}
		})
	}
}

// Pdeathsig comes when the thread ends that has forked (golang/go#27505).
func TestKillOnParentExitSparesChildrenOfThreads(t *testing.T) {
	t.Parallel()
	testkit.Deadline(t, testkit.Stuck)
	const n = 20
	// dead says how many of n commands have died with the threads that have started
	// them, as long as there are so many as is expected, and at once if none is.
	dead := func(expected int, prepare func(*xexec.Cmd)) (dead int) {
		cmds := make([]*xexec.Cmd, n)
		var threads sync.WaitGroup
		var tids [n]int
		for i := range n {
			c := xexec.Command("sleep", "1000")
			prepare(c)
			cmds[i] = c
			threads.Go(func() {
				onThreadThatEnds(func() {
					tids[i] = unix.Gettid()
					if err := c.Start(); err != nil {
						t.Error(err)
					}
				})
			})
		}
		threads.Wait()
		for _, tid := range tids {
			testkit.Eventually(t, "the thread has ended", func() bool {
				return unix.Tgkill(os.Getpid(), tid, 0) == syscall.ESRCH
			})
		}
		// The signal has been sent by now. Its receiver may still have to get a
		// processor to die on.
		for end := time.Now().Add(testkit.Stuck / 4); ; time.Sleep(time.Millisecond) {
			dead = 0
			for _, c := range cmds {
				if c.Signal(syscall.Signal(0)) != nil {
					dead++
				}
			}
			if dead >= expected || time.Now().After(end) {
				break
			}
		}
		for _, c := range cmds {
			c.Kill()
			c.Wait()
		}
		return dead
	}
	// The test can fail: this is what Pdeathsig alone does.
	if got := dead(n/2, func(c *xexec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }); got < n/2 {
		t.Errorf("of %d with Pdeathsig, only %d are dead", n, got)
	}
	if n := dead(0, func(c *xexec.Cmd) { c.SetKillOnParentExit(true) }); n != 0 {
		t.Errorf("%d are dead", n)
	}
}

// onThreadThatEnds runs f on a thread that ends with it.
func onThreadThatEnds(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() { // the main thread does not end
			onThreadThatEnds(f)
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
	<-done
}

func TestKillOnParentExitLeavesSysProcAttrAlone(t *testing.T) {
	t.Parallel()
	c := xexec.Command("true")
	c.SysProcAttr = new(syscall.SysProcAttr)
	c.SetKillOnParentExit(true)
	if err := c.Run(); err != nil || c.SysProcAttr.Pdeathsig != 0 {
		t.Errorf("%v, Pdeathsig %v", err, c.SysProcAttr.Pdeathsig)
	}
}

// The leader of a session leads a group, started here or as pty.Start does it.
func TestTreeOnATerminal(t *testing.T) {
	t.Parallel()
	testkit.Deadline(t, testkit.Stuck)
	for _, test := range []struct {
		name  string
		start func(*xexec.Cmd) error
	}{
		{"Start", (*xexec.Cmd).Start},
		{"os/exec's Start", func(c *xexec.Cmd) error { return c.Std().Start() }},
	} {
		tt := xtest.NewTree(t, xexec.ProcessGroup)
		master, tty := testkit.OpenPty(t)
		c := tt.Sh(`sleep 1000 & [ -t 0 ] && cut -d' ' -f8 /proc/$$/stat && echo $$`)
		c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
		attr := &syscall.SysProcAttr{Setsid: true, Setctty: true}
		c.SysProcAttr = attr
		if err := test.start(c); err != nil {
			t.Fatal(err)
		}
		if kind := c.TreeKind(); kind == xexec.NoTree {
			t.Errorf("%s: TreeKind is %v", test.name, kind)
		}
		tt.Soon(func() {
			if err := c.Wait(); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
		})
		tt.Gone()
		out := strings.Fields(testkit.ReadTerminal(master, tty))
		if pid := fmt.Sprint(c.Pid()); len(out) != 2 || out[0] != pid || out[1] != pid {
			t.Errorf("%s: %q", test.name, out)
		}
		if attr.Setpgid || attr.UseCgroupFD || c.SysProcAttr != attr {
			t.Errorf("%s: SysProcAttr was modified", test.name)
		}
	}
}

// helperForeground runs a tree in the foreground of its terminal.
func helperForeground([]string) int {
	c := xexec.Command("sh", "-c", `sleep 1000 & echo $$; cut -d' ' -f8 /proc/$$/stat`)
	c.SetTree(true)
	c.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: 0}
	out, err := c.Output()
	f := strings.Fields(string(out))
	fmt.Println(len(f) == 2 && f[0] == f[1], err)
	return 0
}

func TestTreeInTheForeground(t *testing.T) {
	testkit.NeedOwnProc(t)
	t.Parallel()
	testkit.Deadline(t, testkit.Stuck)
	master, tty := testkit.OpenPty(t)
	c := testkit.Command(t, "foreground")
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Run(); err != nil {
		t.Error(err)
	}
	if out := testkit.ReadTerminal(master, tty); strings.TrimSpace(out) != "true <nil>" {
		t.Errorf("%q", out)
	}
}

// helperJobInFront kills trees whose leader, a shell with job control, has given the
// terminal to a job of its own, and prints whether it is given back.
func helperJobInFront([]string) int {
	foreground := func() int {
		pgid, _ := unix.IoctlGetUint32(0, unix.TIOCGPGRP)
		return int(int32(pgid))
	}
	for range 5 {
		c := xexec.Command("sh", "-c", `set -m; sh -c "sleep 1000"; :`)
		c.Stdin = os.Stdin
		c.SetTree(true)
		c.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: 0}
		if err := c.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
		for foreground() == c.Pid() {
			time.Sleep(time.Millisecond)
		}
		c.Kill()
		c.Wait()
		if now := foreground(); now != syscall.Getpgrp() {
			fmt.Printf("it is with %d, whose leader is in state %q", now, testkit.ProcessState(now))
			return 1
		}
	}
	fmt.Println("given back")
	return 0
}

// A job of the tree that had the terminal, and is dead but not reaped yet, does not
// keep it.
func TestJobOfATreeInTheForeground(t *testing.T) {
	testkit.NeedOwnProc(t)
	testkit.NeedCgroup(t) // else the job is not in the tree
	testkit.Deadline(t, testkit.Stuck)
	master, tty := testkit.OpenPty(t)
	c := testkit.Command(t, "job in front")
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err := c.Run()
	if out := testkit.ReadTerminal(master, tty); err != nil || strings.TrimSpace(out) != "given back" {
		t.Errorf("%v, %q", err, out)
	}
}

// Somebody else has reaped the leader: the rest is found by what is not a number.
func TestStolenLeaderOfTree(t *testing.T) {
	xtest.EachTreeKind(t, func(t *xtest.Tree) {
		if t.Kind == xexec.ProcessGroup && (testkit.Pidfd() != nil || !testkit.GroupByPidfd()) {
			testkit.Lack(t, "without pidfds, and before Linux 6.9, the rest cannot be signalled without risk")
		}
		c := t.Sh("sleep 1000 & echo ready")
		t.Start(c)
		if pid, err := syscall.Wait4(c.Pid(), nil, 0, nil); pid != c.Pid() {
			t.Fatal(err)
		}
		testkit.Eventually(t, "the rest is alive", func() bool { return len(testkit.Marked(t.Mark)) == 1 }) // it may be in its exec
		if err := c.Wait(); !errors.Is(err, syscall.ECHILD) {
			t.Errorf("Wait: %v", err)
		}
		t.Gone()

		c = t.Sh("sleep 1000 & echo ready")
		t.Start(c)
		syscall.Wait4(c.Pid(), nil, 0, nil)
		testkit.Eventually(t, "the rest is alive", func() bool { return len(testkit.Marked(t.Mark)) == 1 })
		if err := c.Kill(); err != nil {
			t.Errorf("Kill of the rest: %v", err)
		}
		testkit.Eventually(t, "nobody is left, though nobody has waited", func() bool { return testkit.Marked(t.Mark) == nil })
		c.Wait()
	})
}

// A cgroup outlasts its leader: also after os/exec has reaped that, what is left
// in it has ended when Wait returns, and it is removed.
func TestLeaderReapedByOsExec(t *testing.T) {
	t.Parallel()
	testkit.NeedCgroup(t)
	testkit.Deadline(t, testkit.Stuck)
	tt := xtest.NewTree(t, xexec.Cgroup)
	c := tt.Sh("for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo ready; read line; exit 3")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	tt.Start(c)
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.Pid()))
	if err != nil {
		t.Error(err)
	}
	stdin.Close()
	c.Std().Wait()
	testkit.Eventually(t, "the rest is alive", func() bool { return len(testkit.Marked(tt.Mark)) == 8 })
	if err := c.Wait(); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("Wait: %v", err)
	}
	tt.Gone()
	// The last line is that of version 2.
	dir := filepath.Join(testkit.CgroupDir(), filepath.Base(strings.TrimSpace(string(b))))
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", dir, err)
		syscall.Rmdir(dir)
	}
}

// And it can be asked to end.
func TestTerminateWhenOsExecHasReapedTheLeader(t *testing.T) {
	t.Parallel()
	testkit.NeedCgroup(t)
	testkit.Deadline(t, testkit.Stuck)
	tt := xtest.NewTree(t, xexec.Cgroup)
	c := tt.Sh(xtest.InShell(xtest.Polite) + " & setsid " + xtest.InShell(xtest.Polite) + " & exec sleep 1000")
	w := tt.Start(c)
	testkit.Eventually(t, "both are ready", func() bool { return strings.Count(w.String(), "ready") == 2 })
	c.Process.Kill()
	c.Std().Wait()
	if err := c.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("signal 0: %v", err)
	}
	if err := c.Terminate(); err != nil {
		t.Errorf("Terminate: %v", err)
	}
	if err := c.Wait(); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("Wait: %v", err)
	}
	tt.Gone()
	if got := w.String(); got != "ready\nready\nclean\nclean\n" {
		t.Errorf("output %q", got)
	}
}

// raceRounds is how many trees TestForkingTreeFromManyGoroutines ends, of each kind.
// XEXEC_RACE_ROUNDS changes it.
func raceRounds() int {
	if n, err := strconv.Atoi(os.Getenv("XEXEC_RACE_ROUNDS")); err == nil {
		return n
	}
	if testkit.Long() {
		return 25
	}
	return 10
}

// TestForkingTreeFromManyGoroutines ends trees of fifty processes that fork all
// the time, in all ways at once. (That no cgroup is left is seen at the end of the
// run, when no other test has any.)
func TestForkingTreeFromManyGoroutines(t *testing.T) {
	const forkers = `
		i=0
		while [ $i -lt 49 ]; do
			(trap "" TERM INT; while :; do (:); sleep 0.2 & wait $!; done) &
			i=$((i+1))
		done
		echo ready
		wait`
	for _, kind := range xtest.TreeKinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			round := time.AfterFunc(testkit.Stuck, func() { panic(t.Name() + ": a round is stuck") })
			defer round.Stop()
			for range raceRounds() {
				round.Reset(testkit.Stuck)
				tt := xtest.NewTree(t, kind)
				ctx, cancel := context.WithCancel(context.Background())
				c := tt.ShContext(ctx, forkers)
				if rand.IntN(2) == 0 {
					c.Cancel, c.WaitDelay = c.Terminate, 5*time.Millisecond
				}
				tt.Start(c)
				results := make([]error, 32)
				start := make(chan struct{})
				var all sync.WaitGroup
				for i := range results {
					all.Go(func() {
						<-start
						check := func(err error) {
							if err != nil && !errors.Is(err, os.ErrProcessDone) {
								t.Error(err)
							}
						}
						switch i % 8 {
						case 0:
							check(c.Terminate())
						case 1:
							check(c.Signal(syscall.SIGINT))
						case 2:
							short, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(20))*time.Millisecond)
							defer cancel()
							if err := c.Shutdown(short); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
								t.Error(err)
							}
						case 3:
							time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
							cancel()
						case 4:
							time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
							check(c.Kill())
						case 5:
							c.WaitContext(ctx)
						case 6:
							c.TryWait()
						}
						results[i] = c.Wait()
					})
				}
				close(start)
				all.Wait()
				cancel()
				tt.Gone()
				var exit *exec.ExitError
				for _, err := range results {
					if err != results[0] || !errors.As(err, &exit) && err != context.Canceled {
						t.Errorf("Wait: %v and %v", results[0], err)
					}
				}
				if err := c.Kill(); err != os.ErrProcessDone {
					t.Errorf("Kill after the end: %v", err)
				}
				if t.Failed() {
					return
				}
			}
		})
	}
}

// A context whose methods start such commands themselves holds nobody up.
func TestKillOnParentExitStartedInStart(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	depth := 0
	var run func() error
	run = func() error {
		depth++
		asked := 0
		c := xtest.HelperContext(busybody{t.Context(), func(method string) {
			if asked++; method == "Done" && asked < 8 && depth < 20 { // also while it forks
				if err := run(); err != nil {
					t.Error(err)
				}
			}
		}}, t, "exit", "0")
		c.SetKillOnParentExit(true)
		return c.Run()
	}
	if err := run(); err != nil {
		t.Error(err)
	}
}
