package xexec_test

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	registerHelper("nice", helperNice)
}

// helperNice prints its priority, as the kernel counts it.
func helperNice([]string) int {
	nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	fmt.Println(nice, err)
	return 0
}

func TestWaitClosesUnreadAndUnwrittenPipes(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, p execPackage) {
		c := p.helper(t, "say", "o:nobody reads this", "e:nor this")
		in, err1 := c.StdinPipe()
		out, err2 := c.StdoutPipe()
		errOut, err3 := c.StderrPipe()
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		var inodes []uint64
		for _, end := range []any{in, out, errOut} {
			inodes = append(inodes, inodeOf(end.(interface{ Fd() uintptr }).Fd()))
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for i, ino := range inodes {
			if n := descriptorsOfPipe(ino); n != 1 {
				t.Errorf("%d descriptors of pipe %d while the command runs", n, i)
			}
		}
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		for i, ino := range inodes {
			if n := descriptorsOfPipe(ino); n != 0 {
				t.Errorf("%d descriptors of pipe %d after Wait", n, i)
			}
		}
	})
}

// onThreadOfItsOwn runs f on a thread that ends with it.
func onThreadOfItsOwn(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread never ends. Occupied, it is not
			// given to the next goroutine.
			onThreadOfItsOwn(f)
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
	<-done
}

// A thread's nice value is its own, and inherited by what it forks.
func TestStartForksOnTheThreadOfTheCaller(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, p execPackage) {
		onThreadOfItsOwn(func() {
			old, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
			if err != nil {
				t.Error(err)
				return
			}
			// The kernel counts from 20 down, so that no value is negative.
			nice := 20 - old + 1
			if nice > 19 {
				t.Log("no nicer value is left")
				return
			}
			if err := unix.Setpriority(unix.PRIO_PROCESS, 0, nice); err != nil {
				t.Error(err)
				return
			}
			out, err := p.helper(t, "nice").Output()
			if want := fmt.Sprintln(20-nice, nil); string(out) != want {
				t.Errorf("nice %q, %v; the thread has %q, the others %d", out, err, want, old)
			}
		})
	})
}

func TestPdeathsigComesWhenTheThreadOfTheCallerEnds(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, p execPackage) {
		c := p.helper(t, "serve", "0")
		c.std().SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		onThreadOfItsOwn(func() { startReady(t, c) })
		err = c.Wait()
		exit, ok := err.(*exec.ExitError)
		if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
			t.Errorf("Wait: %v", err)
		}
	})
}
