package xexec_test

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"example.com/xexec"
)

// A Cancel that signals by process id, as many do, is called while that is the
// child's, alive or a zombie. (If it does not get on, the reaping may
// overtake it all the same. But if that is done in one call, most Cancels come late.)
func TestCancelIsNotCalledAfterTheReap(t *testing.T) {
	deadline(t, stuck)
	// With one processor, which this goroutine keeps, the one that waits does not go
	// on when its system call returns.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var called, late, rounds int
	for end := time.Now().Add(stuck / 8); rounds < 60 && time.Now().Before(end); rounds++ {
		ctx, cancel := context.WithCancel(t.Context())
		c := xexec.CommandContext(ctx, "sleep", "1000")
		c.Cancel = func() error {
			called++
			if !unreaped(c.Process.Pid) {
				late++
			}
			return nil
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		waited := make(chan error)
		go func() { waited <- c.Wait() }()
		for xexec.Blocked() == 0 {
			runtime.Gosched()
		}
		syscall.Kill(c.Process.Pid, syscall.SIGKILL)
		for exited, ours := false, true; ours && !exited; {
			exited, ours = rawHasExited(c.Process.Pid)
		}
		for begin := time.Now(); unreaped(c.Process.Pid) && time.Since(begin) < 3*time.Millisecond; {
		}
		cancel() // and it is the next to run
		<-waited
	}
	t.Logf("Cancel was called %d times in %d rounds, late %d", called, rounds, late)
	if late > max(1, called/10) {
		t.Errorf("of %d calls of Cancel, %d came after the reaping", called, late)
	}
}

func unreaped(pid int) bool {
	_, ours := rawHasExited(pid)
	return ours
}

// rawHasExited is hasExited without giving the processor away.
func rawHasExited(pid int) (exited, ours bool) {
	var info unix.Siginfo
	_, _, err := unix.RawSyscall6(unix.SYS_WAITID, unix.P_PID, uintptr(pid), uintptr(unsafe.Pointer(&info)),
		unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, 0, 0)
	return info.Signo != 0, err == 0
}

// A child that stops for its tracer, us, has not exited: it can be killed. Wait
// returns then, as under os/exec, which after that knows no process any more.
func TestTracedByUs(t *testing.T) {
	deadline(t, stuck)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	traced := func(name string, arg ...string) *xexec.Cmd {
		c := xexec.Command(name, arg...)
		c.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
		return c
	}
	start := func(what string, err error) {
		t.Helper()
		if errors.Is(err, syscall.EPERM) {
			t.Skip("ptrace:", err)
		} else if err != nil {
			t.Fatal(what, err)
		}
	}
	c, std := traced("sleep", "1000"), traced("sleep", "1000").Std()
	start("Start:", c.Start())
	start("os/exec's Start:", std.Start())
	for what, kill := range map[*exec.Cmd]func() error{c.Std(): c.Kill, std: std.Process.Kill} {
		awaitState(t, what.Process.Pid, "t")
		if err := kill(); err != nil {
			t.Errorf("Kill, by xexec %t: %v", what == c.Std(), err)
		}
	}
	if err := c.Wait(); !killed(err) {
		t.Errorf("Wait after Kill: %v", err)
	}
	if err := std.Wait(); !killed(err) {
		t.Errorf("os/exec's Wait after Kill: %v", err)
	}

	c, std = traced("sleep", "1000"), traced("sleep", "1000").Std()
	start("Start:", c.Start())
	start("os/exec's Start:", std.Start())
	awaitState(t, c.Pid(), "t")
	if done, err := c.TryWait(); done {
		t.Errorf("TryWait of a child that has stopped: %v", err)
	}
	if err, want := c.Wait(), std.Wait(); describe(err) != describe(want) {
		t.Errorf("Wait: %v, os/exec: %v", err, want)
	}
	for _, pid := range []int{c.Pid(), std.Process.Pid} {
		syscall.Kill(pid, syscall.SIGKILL)
		for err := error(unix.EINTR); err == unix.EINTR; {
			_, err = syscall.Wait4(pid, nil, 0, nil)
		}
	}
}

// A context that only os/exec knows, and does not watch because there is neither
// Cancel nor WaitDelay, is no reason to lose output.
func TestOutputWithAContextThatNobodyWatches(t *testing.T) {
	deadline(t, stuck)
	made := map[string]func(ctx context.Context) *xexec.Cmd{
		"a struct copy": func(ctx context.Context) *xexec.Cmd {
			copied := *helperCmdContext(ctx, t, "say", "o:some")
			return &copied
		},
		"os/exec's": func(ctx context.Context) *xexec.Cmd {
			return xexec.FromStd(stdHelperCmdContext(ctx, t, "say", "o:some"))
		},
	}
	starts := map[string]func(c *xexec.Cmd) error{
		"Start":        (*xexec.Cmd).Start,
		"StartContext": func(c *xexec.Cmd) error { return c.StartContext(t.Context()) },
	}
	waits := map[string]func(c *xexec.Cmd) error{
		"Wait":        (*xexec.Cmd).Wait,
		"WaitContext": func(c *xexec.Cmd) error { return c.WaitContext(t.Context()) },
	}
	for whose, make := range made {
		for how, start := range starts {
			for which, wait := range waits {
				c := make(t.Context())
				c.Cancel = nil
				out, err := c.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := start(c); err != nil {
					t.Fatal(err)
				}
				if err := wait(c); err != nil {
					t.Errorf("%s, %s: %s: %v", whose, how, which, err)
				}
				if b, err := io.ReadAll(out); string(b) != "some" || err != nil {
					t.Errorf("%s, %s: read after %s: %q, %v", whose, how, which, b, err)
				}
			}
		}
	}
}
