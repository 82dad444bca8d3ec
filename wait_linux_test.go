package xexec_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() {
	testkit.Register("crowd", helperCrowd)
}

// A Cancel that signals by process id, as many do, is called while that is the
// child's, alive or a zombie. (If it does not get on, the reaping may
// overtake it all the same. But if that is done in one call, most Cancels come late.)
func TestCancelIsNotCalledAfterTheReap(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	// With one processor, which this goroutine keeps, the one that waits does not go
	// on when its system call returns.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var called, late, rounds int
	for end := time.Now().Add(testkit.Stuck / 8); rounds < 60 && time.Now().Before(end); rounds++ {
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
		for testkit.BlockedWaits() == 0 {
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
	testkit.NeedOwnProc(t)
	testkit.Deadline(t, testkit.Stuck)
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
			testkit.Lack(t, "ptrace: ", err)
		} else if err != nil {
			t.Fatal(what, err)
		}
	}
	c, std := traced("sleep", "1000"), traced("sleep", "1000").Std()
	start("Start:", c.Start())
	start("os/exec's Start:", std.Start())
	for what, kill := range map[*exec.Cmd]func() error{c.Std(): c.Kill, std: std.Process.Kill} {
		testkit.AwaitState(t, what.Process.Pid, "t")
		if err := kill(); err != nil {
			t.Errorf("Kill, by xexec %t: %v", what == c.Std(), err)
		}
	}
	if err := c.Wait(); !testkit.Killed(err) {
		t.Errorf("Wait after Kill: %v", err)
	}
	if err := std.Wait(); !testkit.Killed(err) {
		t.Errorf("os/exec's Wait after Kill: %v", err)
	}

	c, std = traced("sleep", "1000"), traced("sleep", "1000").Std()
	start("Start:", c.Start())
	start("os/exec's Start:", std.Start())
	testkit.AwaitState(t, c.Pid(), "t")
	if done, err := c.TryWait(); done {
		t.Errorf("TryWait of a child that has stopped: %v", err)
	}
	if err, want := c.Wait(), std.Wait(); testkit.Describe(err) != testkit.Describe(want) {
		t.Errorf("Wait: %v, os/exec: %v", err, want)
	}
	for _, pid := range []int{c.Pid(), std.Process.Pid} {
		syscall.Kill(pid, syscall.SIGKILL)
		for err := error(unix.EINTR); err == unix.EINTR; {
			_, err = syscall.Wait4(pid, nil, 0, nil)
		}
	}
}

// Waiting for many children takes neither many threads nor any descriptor, and
// not more each time. XEXEC_CROWD=children,rounds sets other numbers than the
// quick ones here, say 10000,1 or 1000,50.
func TestCrowd(t *testing.T) {
	testkit.NeedPoller(t)
	children, rounds := 200, 3
	if testkit.Long() && !testkit.RaceEnabled {
		children = 500
	}
	testkit.NeedDescriptors(t, children+50)
	if s := os.Getenv("XEXEC_CROWD"); s != "" {
		if _, err := fmt.Sscanf(s, "%d,%d", &children, &rounds); err != nil {
			t.Fatal(err)
		}
	} else {
		testkit.Deadline(t, testkit.Stuck)
	}
	out, err := xtest.Helper(t, "crowd", strconv.Itoa(children), strconv.Itoa(rounds)).CombinedOutput()
	if s := string(out); strings.HasPrefix(s, "skip: ") {
		testkit.Lack(t, s)
	}
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	t.Logf("%s", out)
	var first, last, files int
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i, line := range lines {
		if _, err := fmt.Sscanf(line, "%d threads, %d descriptors more", &last, &files); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if last > 64 {
			t.Errorf("%d threads for %d children", last, children)
		}
		if files > 1 {
			t.Errorf("%d descriptors to wait for %d children", files, children)
		}
		if i == 0 {
			first = last
		}
	}
	// The runtime starts a thread now and then for itself.
	if len(lines) != rounds || last > first+8 {
		t.Errorf("%d threads in the first of %d rounds, %d in the last", first, len(lines), last)
	}
}

// helperCrowd waits for children, from a goroutine for each, and prints what
// that took in each round.
func helperCrowd(args []string) int {
	n, rounds := testkit.Atoi(args[0]), testkit.Atoi(args[1])
	for range rounds {
		cmds := make([]*xexec.Cmd, n)
		for i := range cmds {
			cmds[i] = xexec.Command("sleep", "1000")
			if err := cmds[i].Start(); err != nil {
				for _, c := range cmds[:i] {
					c.Kill()
					c.Wait()
				}
				if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENOMEM) {
					fmt.Printf("skip: after %d children: %v\n", i, err)
					return 0
				}
				return testkit.Complain(err)
			}
		}
		files := len(testkit.TakeStock().Files)
		var waiters sync.WaitGroup
		errs := make([]error, n)
		for i, c := range cmds {
			waiters.Go(func() { errs[i] = c.Wait() })
		}
		for testkit.PolledWaits()+testkit.BlockedWaits() != n {
			time.Sleep(time.Millisecond)
		}
		now := testkit.TakeStock()
		fmt.Printf("%d threads, %d descriptors more\n", now.Threads, len(now.Files)-files)
		for _, c := range cmds {
			if err := c.Kill(); err != nil {
				return testkit.Complain("Kill:", err)
			}
		}
		waiters.Wait()
		for _, err := range errs {
			if !testkit.Killed(err) {
				return testkit.Complain("Wait:", err)
			}
		}
	}
	return 0
}

// pollerGoroutines returns the stacks of the goroutines that xexec has started.
func pollerGoroutines() []string {
	return slices.DeleteFunc(testkit.Goroutines("created by "), func(g string) bool { return !testkit.OfLibrary(g, "created by ") })
}

// expectNoPoller checks that the poller has nothing that costs something.
func expectNoPoller(t testing.TB) {
	t.Helper()
	if n := testkit.PollSets(); n != 0 {
		t.Errorf("%d epoll sets are open, with %d waits", n, testkit.PolledWaits())
	}
	testkit.Eventually(t, "no goroutine of the poller runs", func() bool { return len(pollerGoroutines()) == 0 })
}

func TestWaitContextThatEndsLeavesNothingBehind(t *testing.T) {
	testkit.NeedPoller(t)
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.StartSleep(t)
	before := testkit.TakeStock()
	for range 3 {
		ctx, cancel := context.WithCancelCause(t.Context())
		result := make(chan error)
		go func() { result <- c.WaitContext(ctx) }()
		testkit.Eventually(t, "WaitContext uses the poller", func() bool { return testkit.PolledWaits() == 1 })
		if n := len(pollerGoroutines()); n > 1 {
			t.Errorf("%d goroutines of the poller", n)
		}
		cancel(testkit.ErrCause)
		if err := <-result; !errors.Is(err, testkit.ErrCause) {
			t.Errorf("WaitContext: %v", err)
		}
		expectNoPoller(t)
	}
	for _, leak := range before.Compare(testkit.TakeStock()) {
		t.Error(leak)
	}
	if err := c.Kill(); err != nil {
		t.Error(err)
	}
	if err := c.WaitContext(t.Context()); !testkit.Killed(err) {
		t.Errorf("WaitContext: %v", err)
	}
	expectNoPoller(t)
}

// A wait that was called off leaves no trace in the poller that others use.
func TestPolledAgain(t *testing.T) {
	testkit.NeedPoller(t)
	testkit.Deadline(t, testkit.Stuck)
	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	other := xtest.StartSleep(t)
	others.Go(func() { other.WaitContext(ctx) })
	testkit.Eventually(t, "it is polled", func() bool { return testkit.PolledWaits() == 1 })
	c := xtest.StartSleep(t)
	for range 3 {
		again, leave := context.WithCancelCause(t.Context())
		result := make(chan error)
		go func() { result <- c.WaitContext(again) }()
		testkit.Eventually(t, "both are polled", func() bool { return testkit.PolledWaits() == 2 })
		leave(testkit.ErrCause)
		if err := <-result; !errors.Is(err, testkit.ErrCause) {
			t.Errorf("WaitContext: %v", err)
		}
	}
	if n := len(pollerGoroutines()); n > 1 {
		t.Errorf("%d goroutines", n)
	}
	cancel()
	others.Wait()
	expectNoPoller(t)
}

// The first waits block, and those beyond use the poller, where they stay until
// their own child exits.
func TestWaitsBeyondTheFirstArePolled(t *testing.T) {
	testkit.NeedDescriptors(t, 150)
	testkit.NeedPoller(t)
	testkit.Deadline(t, testkit.Stuck)
	const n, most = 100, 64
	var waiters sync.WaitGroup
	cmds := make([]*xexec.Cmd, n)
	for i := range cmds {
		c := xtest.StartSleep(t)
		cmds[i] = c
		waiters.Go(func() {
			if err := c.Wait(); !testkit.Killed(err) {
				t.Errorf("Wait: %v", err)
			}
		})
	}
	testkit.Eventually(t, "all wait", func() bool {
		blocked := testkit.BlockedWaits()
		return testkit.PolledWaits() == n-blocked && 0 < blocked && blocked <= most
	})
	rand.Shuffle(n, func(i, j int) { cmds[i], cmds[j] = cmds[j], cmds[i] })
	for left := n - 1; left >= 0; left-- {
		if err := cmds[left].Kill(); err != nil {
			t.Error(err)
		}
		<-cmds[left].Done()
		testkit.Eventually(t, "one wait less", func() bool { return testkit.PolledWaits()+testkit.BlockedWaits() == left })
	}
	waiters.Wait()
	expectNoPoller(t)
}

func TestThousandWaitersOfOneChild(t *testing.T) {
	testkit.NeedPoller(t)
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.StartSleep(t)
	const n = 1000
	results := make(chan error, n)
	for i := range n {
		go func() {
			if i%2 == 0 {
				results <- c.Wait()
			} else {
				results <- c.WaitContext(t.Context())
			}
		}()
	}
	testkit.Eventually(t, "somebody waits", func() bool { return testkit.PolledWaits()+testkit.BlockedWaits() == 1 })
	if err := c.Kill(); err != nil {
		t.Error(err)
	}
	first := <-results
	if !testkit.Killed(first) {
		t.Errorf("Wait: %v", first)
	}
	for range n - 1 {
		if err := <-results; err != first {
			t.Errorf("Wait: %v, another's: %v", err, first)
		}
	}
	expectNoPoller(t)
}

// Waits come to an empty poller while the last one leaves, and contexts end
// while the child does.
func TestPollerComesAndGoes(t *testing.T) {
	testkit.NeedPoller(t)
	testkit.Deadline(t, testkit.Stuck)
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	for range rounds {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				c := xexec.Command("sleep", "1000")
				if err := c.Start(); err != nil {
					t.Error(err)
					return
				}
				var waiters sync.WaitGroup
				for range 3 {
					ctx, cancel := context.WithCancelCause(t.Context())
					waiters.Go(func() {
						err := c.WaitContext(ctx)
						if !errors.Is(err, testkit.ErrCause) && !testkit.Killed(err) {
							t.Errorf("WaitContext: %v", err)
						}
					})
					waiters.Go(func() {
						spin(rand.IntN(2000))
						cancel(testkit.ErrCause)
					})
				}
				spin(rand.IntN(2000))
				if err := c.Kill(); err != nil {
					t.Error(err)
				}
				waiters.Wait()
				if err := c.Wait(); !testkit.Killed(err) {
					t.Errorf("Wait: %v", err)
				}
			})
		}
		all.Wait()
		expectNoPoller(t)
	}
}

func spin(n int) {
	for range n {
		runtime.Gosched()
	}
}

// What others do with the os.Process while the poller has its descriptor does
// not make the wait hang, and does not let another file have the number. Nor does
// what they do while a wait blocks in it.
func TestProcessTakenFromAWait(t *testing.T) {
	testkit.NeedPoller(t)
	testkit.Deadline(t, testkit.Stuck)
	for name, take := range map[string]func(c *xexec.Cmd){
		"Release":      func(c *xexec.Cmd) { c.Process.Release() },
		"Process.Wait": func(c *xexec.Cmd) { go c.Process.Wait() },
		"wait4":        func(c *xexec.Cmd) { go syscall.Wait4(c.Pid(), nil, 0, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			for i := range 40 {
				c := xtest.StartSleep(t)
				pid := c.Pid()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				result := make(chan error)
				if i%2 == 0 {
					go func() { result <- c.WaitContext(ctx) }()
				} else {
					go func() { result <- c.Wait() }()
				}
				testkit.Eventually(t, "it waits", func() bool { return testkit.PolledWaits()+testkit.BlockedWaits() == 1 })
				take(c)
				// Whoever gets the number of a descriptor that was closed too
				// early is not our child.
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				syscall.Kill(pid, syscall.SIGKILL)
				err = <-result
				if !testkit.Killed(err) && !errors.Is(err, syscall.ECHILD) && !errors.Is(err, syscall.EINVAL) {
					t.Errorf("%d: %v", i, err)
				}
				r.Close()
				w.Close()
				syscall.Wait4(pid, nil, 0, nil) // what was released
				expectNoPoller(t)
			}
		})
	}
}

// A descriptor of the poller's is not passed on to a child.
func TestPollerIsNotInherited(t *testing.T) {
	testkit.NeedOwnProc(t)
	testkit.NeedPoller(t)
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.StartSleep(t)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() { result <- c.WaitContext(ctx) }()
	testkit.Eventually(t, "it is polled", func() bool { return testkit.PolledWaits() == 1 })
	out, err := xexec.Command("sh", "-c", "ls -l /proc/$$/fd").Output()
	if err != nil || strings.Contains(string(out), "eventpoll") || strings.Contains(string(out), "pidfd") {
		t.Errorf("a child has, %v:\n%s", err, out)
	}
	cancel()
	if err := <-result; err != context.Canceled {
		t.Error(err)
	}
}

// The pidfd of a child that somebody traces tells of the exit before the child
// can be reaped. A wait goes on until then, and can still be called off.
func TestPolledChildIsTraced(t *testing.T) {
	testkit.NeedPoller(t)
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.StartSleep(t)
	_, detach := testkit.Trace(t, c.Pid(), false)

	result := make(chan error)
	ctx := t.Context()
	go func() { result <- c.WaitContext(ctx) }()
	testkit.Eventually(t, "it is polled", func() bool { return testkit.PolledWaits() == 1 })
	if err := unix.Kill(c.Pid(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the exit is seen", func() bool { return testkit.PolledWaits() == 0 })
	if done, err := c.TryWait(); done {
		t.Errorf("TryWait of a child that its tracer has not let go: %v", err)
	}
	if err := c.WaitContext(testkit.Ended); !errors.Is(err, testkit.ErrCause) {
		t.Errorf("WaitContext: %v", err)
	}
	detach()
	if err := <-result; !testkit.Killed(err) {
		t.Errorf("WaitContext: %v", err)
	}
}

// A kill can be delivered to a process that is alive, and yet come too late to be
// what ends it. Here it comes when the process is about to exit.
func TestKillThatCameTooLateIsNotToBlame(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	// A Cancel of the caller's is to blame all the same, as under os/exec.
	for what, blamed := range map[string]error{"default": nil, "own": context.Canceled} {
		ctx, cancel := context.WithCancelCause(t.Context())
		c := xexec.CommandContext(ctx, "cat")
		stdin, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		called := make(chan error, 1)
		kill := c.Cancel
		if what == "own" {
			kill = func() error { return c.Kill() }
			c.Cancel = func() error {
				err := kill()
				called <- err
				return err
			}
		} else {
			called <- nil
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stdin.Close(); c.Wait() }) // also if it cannot be traced
		exiting, detach := testkit.Trace(t, c.Pid(), true)
		stdin.Close()
		exiting()
		cancel(testkit.ErrCause)
		testkit.Eventually(t, "the kill is delivered", func() bool { return testkit.Goroutines("created by context.") == nil })
		detach()
		if err := <-called; err != nil {
			t.Errorf("%s: the kill was not delivered: %v", what, err)
		}
		err = c.Wait()
		if !c.ProcessState.Exited() {
			t.Skip("this kernel's kill changes the status of a process that is exiting")
		}
		if err != blamed {
			t.Errorf("%s: Wait: %v, want %v", what, err, blamed)
		}
		if cause := c.Cause(); (cause != nil) != (blamed != nil) {
			t.Errorf("%s: Cause: %v", what, cause)
		}
	}
}

// startZombie starts a command and returns it when it has exited.
func startZombie(t testing.TB, code string) *xexec.Cmd {
	t.Helper()
	c := xexec.Command("/bin/sh", "-c", "exit "+code)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	testkit.WaitForExit(t, c.Pid())
	return c
}

// TestTryWaitSeesTheExit races a TryWait, of a child that is known to have
// exited, against all that another goroutine may be doing with it.
// XEXEC_RACE_TIME says for how long (a duration).
func TestTryWaitSeesTheExit(t *testing.T) {
	d := time.Second / 2
	if testkit.Long() {
		d = 2 * time.Second
	}
	if s := os.Getenv("XEXEC_RACE_TIME"); s != "" {
		var err error
		if d, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Deadline(t, d+testkit.Stuck)
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
	testkit.Deadline(t, testkit.Stuck)
	rounds := 50
	if testkit.Long() {
		rounds = 300
	}
	for i := range rounds {
		c := xtest.StartSleep(t)
		pidfd, err := unix.PidfdOpen(c.Pid(), 0)
		if err != nil {
			testkit.Lack(t, "pidfd_open: ", err)
		}
		defer unix.Close(pidfd)
		waited := make(chan error)
		go func() { waited <- c.Wait() }()
		testkit.Eventually(t, "it waits", func() bool { return testkit.BlockedWaits() == 1 })
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
		if !done || !testkit.Killed(err) {
			t.Errorf("round %d: TryWait of a child that has exited: %v, %v", i, done, err)
		}
		if other := <-waited; other != err {
			t.Errorf("round %d: Wait: %v, TryWait: %v", i, other, err)
		}
	}
}

func TestNothingIsReapedWhileNobodyWaits(t *testing.T) {
	testkit.NeedOwnProc(t)
	testkit.Deadline(t, testkit.Stuck)
	ctx, cancel := context.WithCancel(t.Context())
	c := xexec.CommandContext(ctx, "/bin/sh", "-c", "read x")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitContext(testkit.Ended); !errors.Is(err, testkit.ErrCause) {
		t.Errorf("WaitContext: %v", err)
	}
	stdin.Close()
	testkit.WaitForExit(t, c.Pid())
	for what, err := range map[string]error{
		"Kill": c.Kill(), "Signal": c.Signal(syscall.Signal(0)), "Terminate": c.Terminate(), "Cancel": c.Cancel(),
	} {
		if err != os.ErrProcessDone {
			t.Errorf("%s of a child that has exited: %v, want os.ErrProcessDone", what, err)
		}
	}
	cancel()
	if !testkit.Zombie(c.Pid()) || c.ProcessState != nil {
		t.Error("the child was reaped, and nobody waited")
	}
	if done, err := c.TryWait(); !done || err == nil || err.Error() != "exit status 1" {
		t.Errorf("TryWait: %v, %v", done, err)
	}
	if testkit.Zombie(c.Pid()) {
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
	testkit.Deadline(t, testkit.Stuck)
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
			c, stop := xtest.StartServing(t, "0")
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
	testkit.Deadline(t, testkit.Stuck)
	c, std := startZombie(t, "0"), testkit.Command(t, "exit", "0")
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
	testkit.Deadline(t, testkit.Stuck)
	r, w := io.Pipe()
	c := xtest.Helper(t, "exit", "0")
	c.Stdin, c.Stdout = r, io.Discard
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	testkit.WaitForExit(t, c.Pid())
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

// A process that is not ours to judge is left alone by every wait, and signals of it
// tell the truth: they reach it while it runs, or say that they cannot.
func TestProcessesThatAreNotOursToJudge(t *testing.T) {
	waits := map[string]func(c *xexec.Cmd) error{
		"no wait": func(*xexec.Cmd) error { return nil },
		"TryWait": func(c *xexec.Cmd) error {
			_, err := c.TryWait()
			return err
		},
		"Wait":        (*xexec.Cmd).Wait,
		"Done":        func(c *xexec.Cmd) error { <-c.Done(); return nil },
		"WaitContext": func(c *xexec.Cmd) error { return c.WaitContext(t.Context()) },
		"TryWait, as often as it takes": func(c *xexec.Cmd) (err error) {
			for done := false; !done; time.Sleep(time.Millisecond) {
				done, err = c.TryWait()
			}
			return err
		},
	}
	if dir := testkit.CgroupDir(); dir != "" {
		left := testkit.NewCgroups(dir)
		defer testkit.Eventually(t, "the cgroups of those that were released are gone", func() bool {
			runtime.GC()
			c := xexec.Command("true")
			c.SetTree(true)
			c.Run() // it looks for what is left
			return len(left(os.Getpid())) == 0
		})
	}
	for _, whose := range []string{"released", "released tree", "a grandchild", "a grandchild as a tree"} {
		for name, wait := range waits {
			t.Run(whose+", "+name, func(t *testing.T) {
				testkit.Deadline(t, testkit.Stuck)
				c := xexec.Command("sh", "-c", "sleep 1000 & echo $!; wait")
				c.SetTree(whose == "released tree")
				pipe, err := c.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				pid, child := c.Pid(), 0
				if _, err := fmt.Fscan(pipe, &child); err != nil {
					t.Fatal(err)
				}
				pipe.Close()
				defer syscall.Wait4(pid, nil, 0, nil)
				defer syscall.Kill(pid, syscall.SIGKILL)
				defer syscall.Kill(child, syscall.SIGKILL)
				foreign := strings.HasPrefix(whose, "a grandchild")
				if foreign {
					if testkit.Pidfd() != nil {
						testkit.Lack(t, "nothing tells a process that is no child from one whose status was taken")
					}
					p, err := os.FindProcess(child)
					if err != nil {
						t.Fatal(err)
					}
					c = &xexec.Cmd{Process: p}
					c.SetTree(whose == "a grandchild as a tree")
				} else if err := c.Process.Release(); err != nil {
					t.Fatal(err)
				}
				if err := wait(c); err == nil && strings.HasPrefix(name, "Wait") {
					t.Error("no error")
				}
				for _, pid := range []int{pid, child} {
					if !testkit.Alive(pid) {
						t.Errorf("it has ended one of %d, %d: %d", pid, child, pid)
					}
				}
				signal, kill := c.Signal(syscall.Signal(0)), c.Kill()
				if !foreign {
					if errors.Is(signal, os.ErrProcessDone) || errors.Is(kill, os.ErrProcessDone) {
						t.Errorf("Signal of a released process: %v, Kill: %v", signal, kill)
					}
					if kill == nil {
						testkit.Eventually(t, "Kill has killed it", func() bool { return !testkit.Alive(pid) })
					}
					return
				}
				if signal != nil || kill != nil {
					t.Fatalf("Signal of a process that runs: %v, Kill: %v", signal, kill)
				}
				testkit.Eventually(t, "Kill has killed it", func() bool { return !testkit.Alive(child) })
				testkit.Eventually(t, "Kill says that it has exited", func() bool { return errors.Is(c.Kill(), os.ErrProcessDone) })
			})
		}
	}
}

// Whenever the status is stolen, what ended the command is known: Wait, Cause and
// Shutdown tell it.
func TestStolenStatusAtEveryMoment(t *testing.T) {
	steal := func(c *xexec.Cmd) { syscall.Wait4(c.Pid(), nil, 0, nil) }
	thefts := map[string]func(c *xexec.Cmd){
		"before anybody looks": steal,
		"when it was seen": func(c *xexec.Cmd) {
			for c.Signal(nil) != os.ErrProcessDone {
				time.Sleep(time.Millisecond)
			}
			steal(c)
		},
		"beside Wait":     func(c *xexec.Cmd) { go c.Wait(); steal(c) },
		"beside TryWait":  func(c *xexec.Cmd) { go c.TryWait(); steal(c) },
		"beside Done":     func(c *xexec.Cmd) { c.Done(); steal(c) },
		"by Process.Wait": func(c *xexec.Cmd) { c.Process.Wait() },
	}
	ends := map[string]struct {
		prepare func(c *xexec.Cmd)
		end     func(c *xexec.Cmd) error
		tells   bool // the error of Wait tells, too
	}{
		"its context":           {nil, nil, true},
		"its context, and Kill": {nil, (*xexec.Cmd).Kill, true},
		"a Cancel":              {func(c *xexec.Cmd) { c.Cancel = func() error { return c.Process.Kill() } }, nil, true},
		"a Cancel that fails": {func(c *xexec.Cmd) {
			c.Cancel = func() error { c.Kill(); return testkit.ErrBroken }
		}, nil, true},
		"a grace period": {func(c *xexec.Cmd) { c.SetGracePeriod(time.Hour) }, nil, true},
		"the end of a grace period": {func(c *xexec.Cmd) {
			c.SetStopSignal(syscall.SIGURG) // which is ignored
			c.SetGracePeriod(time.Millisecond)
		}, nil, true},
		"WaitDelay": {func(c *xexec.Cmd) {
			c.Cancel = func() error { return testkit.ErrBroken }
			c.WaitDelay = time.Millisecond
		}, nil, true},
		"a Shutdown": {func(c *xexec.Cmd) { c.SetStopSignal(syscall.SIGURG) }, func(c *xexec.Cmd) error {
			if err := c.Shutdown(testkit.Ended); !errors.Is(err, testkit.ErrCause) {
				return fmt.Errorf("Shutdown: %v", err)
			}
			return nil
		}, false},
		"a tree's context": {func(c *xexec.Cmd) { c.SetTree(true) }, nil, true},
		"a tree's Shutdown": {func(c *xexec.Cmd) { c.SetTree(true); c.SetStopSignal(syscall.SIGURG) }, func(c *xexec.Cmd) error {
			if err := c.Shutdown(testkit.Ended); !errors.Is(err, testkit.ErrCause) {
				return fmt.Errorf("Shutdown: %v", err)
			}
			return nil
		}, false},
	}
	for name, end := range ends {
		for when, theft := range thefts {
			t.Run(name+", "+when, func(t *testing.T) {
				t.Parallel()
				testkit.Deadline(t, testkit.Stuck)
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				c := xtest.Helper(t, "serve", "0")
				if end.prepare != nil {
					end.prepare(c)
				}
				if _, err := c.StdinPipe(); err != nil {
					t.Fatal(err)
				}
				if err := c.StartContext(ctx); err != nil {
					t.Fatal(err)
				}
				var thief sync.WaitGroup
				thief.Go(func() { theft(c) })
				if end.tells {
					cancel(testkit.ErrCause)
				}
				if end.end != nil {
					if err := end.end(c); err != nil && err != os.ErrProcessDone {
						t.Error(err)
					}
				}
				thief.Wait()
				err := c.Wait()
				if strings.Contains(name, "Kill") && c.Cause() == nil {
					return // Kill came first
				}
				if end.tells && !errors.Is(err, testkit.ErrCause) || !errors.Is(c.Cause(), testkit.ErrCause) {
					t.Errorf("Wait: %v, Cause %v", err, c.Cause())
				}
				if err == nil {
					t.Error("Wait: no error")
				}
			})
		}
	}
}

// What os/exec's Wait leaves of a command that was started here is as if os/exec had
// started it: its output is there, and nothing of it is left or called later.
func TestNothingIsLeftByOsExecsWait(t *testing.T) {
	type counted struct{ io.Writer } // no memory of ours, so a goroutine copies
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var called atomic.Int32
		one := func() {
			c := p.CommandContext(ctx, "sh", "-c", "(sleep 0.01; echo late >&2) & exit 0")
			c.Std().Cancel = func() error { called.Add(1); return nil }
			var late bytes.Buffer
			c.Std().Stderr = counted{&late}
			out, err := c.StdoutPipe()
			if err == nil {
				_, err = c.StdinPipe()
			}
			if err == nil {
				err = c.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			io.ReadAll(out)
			if err := c.Std().Wait(); err != nil || late.String() != "late\n" {
				t.Errorf("Wait: %v, output %q", err, late.String())
			}
		}
		one()
		before := testkit.Descriptors()
		for range 10 {
			one()
		}
		if n := testkit.Descriptors() - before; n > 5 {
			t.Errorf("%d descriptors are left", n)
		}
		cancel()
		time.Sleep(20 * time.Millisecond) // for a call that must not come
		if n := called.Load(); n > 0 {
			t.Errorf("Cancel was called %d times after Wait", n)
		}
	})
}

// The result that os/exec's Wait leaves to the copies of a struct is theirs until the
// last of them is gone, and goes with it.
func TestResultStaysWithTheLastCopy(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for _, drop := range []bool{false, true} {
		d := func() *xexec.Cmd {
			c := xtest.Helper(t, "exit", "3")
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			copied := *c
			d := &copied
			d.Pid() // has it known here
			c.Std().Wait()
			d.Std().Wait()
			return d
		}()
		if drop {
			collect()
		}
		if err := d.Wait(); err == nil {
			t.Errorf("dropped %t: Wait of a command that has failed: nil", drop)
		}
	}
}

// What a run knows goes with the last copy of the struct, though os/exec's Wait has made
// the run hold it.
func TestErrorGoesWithTheLastCopy(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for _, drop := range []bool{false, true} {
		var gone atomic.Bool
		func() {
			d := func() *xexec.Cmd {
				c := xtest.Helper(t, "say", "o:something")
				e := &largeError{}
				runtime.AddCleanup(e, func(gone *atomic.Bool) { gone.Store(true) }, &gone)
				c.Stdout = failing{e}
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				copied := *c
				copied.Stdout = nil
				return &copied
			}()
			if drop {
				collect()
			}
			d.Std().Wait()
		}()
		if !testkit.Collected(gone.Load) {
			t.Errorf("dropped %t: the Writer's error is kept", drop)
		}
	}
}

// collect lets the collector take what was dropped, most likely.
func collect() {
	for range 4 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

type largeError struct{ _ [1 << 10]byte }

func (*largeError) Error() string { return "large" }
