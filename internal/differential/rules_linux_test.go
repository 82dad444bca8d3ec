package differential_test

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() {
	testkit.Register("nice", helperNice)
}

// helperNice prints its priority, as the kernel counts it.
func helperNice([]string) int {
	nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	fmt.Println(nice, err)
	return 0
}

func TestWaitClosesUnreadAndUnwrittenPipes(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		c := p.Helper(t, "say", "o:nobody reads this", "e:nor this")
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

// A thread's nice value is its own, and inherited by what it forks.
func TestStartForksOnTheThreadOfTheCaller(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		testkit.OnThreadOfItsOwn(func() {
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
			out, err := p.Helper(t, "nice").Output()
			if want := fmt.Sprintln(20-nice, nil); string(out) != want {
				t.Errorf("nice %q, %v; the thread has %q, the others %d", out, err, want, old)
			}
		})
	})
}

func TestPdeathsigComesWhenTheThreadOfTheCallerEnds(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		c := p.Helper(t, "serve", "0")
		c.Std().SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		testkit.OnThreadOfItsOwn(func() { xtest.StartReady(t, c) })
		err = c.Wait()
		exit, ok := err.(*exec.ExitError)
		if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
			t.Errorf("Wait: %v", err)
		}
	})
}
