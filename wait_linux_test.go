package xexec_test

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/xexec"
)

// awaitZombie returns when the command's process has exited and not been reaped.
func awaitZombie(t testing.TB, c *xexec.Cmd) {
	t.Helper()
	err := unix.EINTR
	for err == unix.EINTR {
		err2 := unix.Waitid(unix.P_PID, c.Pid(), nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err2 == nil {
			return
		}
		err, _ = err2.(unix.Errno)
	}
	t.Fatalf("waitid: %v", err)
}

// startZombie starts a command and returns it when it has exited.
func startZombie(t testing.TB, code string) *xexec.Cmd {
	t.Helper()
	c := xexec.Command("/bin/sh", "-c", "exit "+code)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	awaitZombie(t, c)
	return c
}

func isZombie(t testing.TB, pid int) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(rest, "Z")
}

// TestTryWaitSeesTheExit races a TryWait, of a child that is known to have
// exited, against all that another goroutine may be doing with it.
// XEXEC_RACE_TIME says for how long (a duration; 2s if it is not set).
func TestTryWaitSeesTheExit(t *testing.T) {
	d := 2 * time.Second
	if s := os.Getenv("XEXEC_RACE_TIME"); s != "" {
		var err error
		if d, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	deadline(t, d+stuck)
	n := 0
	for end := time.Now().Add(d); time.Now().Before(end); n++ {
		c := startZombie(t, "3")
		var others sync.WaitGroup
		start := make(chan struct{})
		others.Go(func() { <-start; c.Wait() })
		others.Go(func() {
			<-start
			switch n % 4 {
			case 0:
				c.WaitContext(t.Context())
			case 1:
				c.TryWait()
			case 2:
				c.Shutdown(t.Context())
			case 3:
				c.Kill()
			}
		})
		close(start)
		done, err := c.TryWait()
		if !done || err == nil || err.Error() != "exit status 3" {
			t.Fatalf("round %d: TryWait of a child that has exited: %v, %v", n, done, err)
		}
		others.Wait()
	}
	t.Logf("%d rounds", n)
}

// TestTryWaitSeesTheExitUnderAWait is the same for a Wait that has been waiting
// since before the exit. It may have reaped the child by the time of the TryWait,
// or not, so the exit is seen by a pidfd of the test's own.
func TestTryWaitSeesTheExitUnderAWait(t *testing.T) {
	deadline(t, stuck)
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	for i := range rounds {
		c := startSleep(t)
		pidfd, err := unix.PidfdOpen(c.Pid(), 0)
		if err != nil {
			t.Skip("pidfd_open:", err)
		}
		defer unix.Close(pidfd)
		waited := make(chan error)
		go func() { waited <- c.Wait() }()
		eventually(t, "it waits", func() bool { return xexec.Blocked() == 1 })
		if i%2 == 0 {
			c.TryWait()
		}
		// The kernel has the two waits and this poll on one list.
		if err := unix.Kill(c.Pid(), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0)
			if n == 1 || err != nil && err != unix.EINTR {
				break
			}
		}
		if i%3 == 0 {
			if err := c.Kill(); err != os.ErrProcessDone {
				t.Errorf("round %d: Kill of a child that has exited: %v", i, err)
			}
		}
		done, err := c.TryWait()
		if !done || !killed(err) {
			t.Errorf("round %d: TryWait of a child that has exited: %v, %v", i, done, err)
		}
		if other := <-waited; other != err {
			t.Errorf("round %d: Wait: %v, TryWait: %v", i, other, err)
		}
	}
}

func TestNothingIsReapedWhileNobodyWaits(t *testing.T) {
	deadline(t, stuck)
	ctx, cancel := context.WithCancel(t.Context())
	c := xexec.CommandContext(ctx, "/bin/sh", "-c", "read x")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitContext(ended); err != errCause {
		t.Errorf("WaitContext: %v", err)
	}
	stdin.Close()
	awaitZombie(t, c)
	for what, err := range map[string]error{
		"Kill": c.Kill(), "Signal": c.Signal(syscall.Signal(0)), "Terminate": c.Terminate(), "Cancel": c.Cancel(),
	} {
		if err != os.ErrProcessDone {
			t.Errorf("%s of a child that has exited: %v, want os.ErrProcessDone", what, err)
		}
	}
	cancel()
	if !isZombie(t, c.Pid()) || c.ProcessState != nil {
		t.Error("the child was reaped, and nobody waited")
	}
	if done, err := c.TryWait(); !done || err == nil || err.Error() != "exit status 1" {
		t.Errorf("TryWait: %v, %v", done, err)
	}
	if isZombie(t, c.Pid()) {
		t.Error("the child was not reaped")
	}
	if err := c.Kill(); err != os.ErrProcessDone {
		t.Errorf("Kill of a child that was reaped: %v, want os.ErrProcessDone", err)
	}
	if c.Cause() != nil {
		t.Errorf("Cause of a command that ended by itself: %v", c.Cause())
	}
}

// A status that somebody else takes gives os/exec's error, in every goroutine.
func TestStolenStatus(t *testing.T) {
	deadline(t, stuck)
	for name, steal := range map[string]func(c *xexec.Cmd) error{
		"wait4": func(c *xexec.Cmd) error {
			_, err := syscall.Wait4(c.Pid(), nil, 0, nil)
			return err
		},
		"Process.Wait": func(c *xexec.Cmd) error {
			_, err := c.Process.Wait()
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := startZombie(t, "0")
			if err := steal(c); err != nil {
				t.Fatal(err)
			}
			if err := c.Kill(); err != os.ErrProcessDone {
				t.Errorf("Kill: %v, want os.ErrProcessDone", err)
			}
			first := c.Wait()
			if !errors.Is(first, syscall.ECHILD) {
				t.Errorf("Wait: %v, want ECHILD", first)
			}
			if done, err := c.TryWait(); !done || err != first {
				t.Errorf("TryWait: %v, %v, want Wait's error", done, err)
			}
			<-c.Done()

			// While somebody waits.
			c, stop := startServing(t, "0")
			waited := make(chan error)
			go func() { waited <- c.Wait() }()
			go steal(c)
			stop()
			if err := <-waited; err != nil && !errors.Is(err, syscall.ECHILD) {
				t.Errorf("Wait: %v, want nil or ECHILD", err)
			}
		})
	}
}

func TestReleasedProcess(t *testing.T) {
	deadline(t, stuck)
	c, std := startZombie(t, "0"), stdHelperCmd(t, "exit", "0")
	if err := std.Start(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{c.Pid(), std.Process.Pid} {
		defer syscall.Wait4(pid, nil, 0, nil)
	}
	c.Process.Release()
	std.Process.Release()
	want, got := std.Wait(), c.Wait()
	if got == nil || got.Error() != want.Error() {
		t.Errorf("Wait after Release: %v, os/exec: %v", got, want)
	}
}

// With no WaitDelay, a Stdin reader that does not return is waited for, as under
// os/exec. That must be a wait, and not a loop that keeps a processor busy.
func TestWaitForStdinReaderSleeps(t *testing.T) {
	deadline(t, stuck)
	r, w := io.Pipe()
	c := helperCmd(t, "exit", "0")
	c.Stdin, c.Stdout = r, io.Discard
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	awaitZombie(t, c)
	const window = 300 * time.Millisecond
	// A lone wait is done by the caller, so what this thread uses is what it costs,
	// whatever else the process has to do.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := cpuTime(t)
	ctx, cancel := context.WithTimeout(t.Context(), window)
	defer cancel()
	if err := c.WaitContext(ctx); err != context.DeadlineExceeded {
		t.Errorf("WaitContext: %v", err)
	}
	if used := cpuTime(t) - before; used > window/2 {
		t.Errorf("waiting %v used %v of processor time", window, used)
	}
	w.Close()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// cpuTime returns the processor time that the thread has used.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
