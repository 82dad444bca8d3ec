package xexec_test

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/xexec"
)

func init() {
	registerHelper("parent", helperParent)
}

// helperParent starts a command that is to die with it, says so, and waits to be
// killed.
func helperParent(args []string) int {
	c := xexec.Command("sleep", "1000")
	c.SetKillOnParentExit(true)
	c.SetTree(args[0] == "tree")
	if err := c.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(c.Pid())
	select {}
}

func TestKillOnParentExit(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"leader", "tree"} {
		t.Run(arg, func(t *testing.T) {
			deadline(t, stuck)
			parent := stdHelperCmd(t, "parent", arg)
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
			if !alive(pid) {
				t.Error("the child has exited before its parent")
			}
			parent.Process.Kill()
			parent.Wait()
			for end := time.Now().Add(stuck / 2); alive(pid); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Error("the child lives on")
					syscall.Kill(pid, syscall.SIGKILL)
					break
				}
			}
			for _, dir := range cgroups(cgroupDir(), parent.Process.Pid) {
				syscall.Rmdir(dir) // the one who would have removed it is dead
			}
		})
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil && !zombie(pid) }

// Pdeathsig comes when the thread ends that has forked (golang/go#27505).
func TestKillOnParentExitSparesChildrenOfThreads(t *testing.T) {
	t.Parallel()
	deadline(t, stuck)
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
			eventually(t, "the thread has ended", func() bool {
				return unix.Tgkill(os.Getpid(), tid, 0) == syscall.ESRCH
			})
		}
		// The signal has been sent by now. Its receiver may still have to get a
		// processor to die on.
		for end := time.Now().Add(stuck / 4); ; time.Sleep(time.Millisecond) {
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
