package exits

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/xexec/internal/testkit"
)

func init() {
	testkit.Register("ignore", helperIgnore)
	testkit.Register("crowd", helperCrowd)
}

// Nobody is reaped by looking and waiting.
func TestProcessIsZombie(t *testing.T) {
	testkit.NeedOwnProc(t)
	testkit.Deadline(t, testkit.Stuck)
	c := startChild(t)
	p := Of(c.Process)
	c.stdin.Close()
	for range 2 {
		for _, cancel := range []chan struct{}{nil, never} {
			exited, err := p.Wait(cancel)
			expect(t, "Wait", exited, err, true)
		}
		exited, err := p.Exited()
		expect(t, "Exited", exited, err, true)
		if s := testkit.ProcessState(p.Pid()); s != "Z" {
			t.Fatalf("the process is in state %s", s)
		}
	}
	if state, err := c.Process.Wait(); err != nil || !state.Success() {
		t.Errorf("os.Process.Wait: %v, %v", state, err)
	}
}

// A process whose status somebody else has taken has exited.
func TestStolen(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	steal := func(pid int) {
		for err := error(unix.EINTR); err == unix.EINTR; {
			_, err = syscall.Wait4(pid, nil, 0, nil)
		}
	}
	c := startChild(t)
	p := Of(c.Process)
	c.kill(t)
	steal(p.Pid())
	for what, f := range looks(p) {
		exited, err := f()
		expect(t, what, exited, err, true)
	}
	if gone, stop, err := tryWatch(c.Process); err == nil {
		<-gone
		stop()
	} else if !errors.Is(err, os.ErrNoHandle) {
		t.Error(err)
	}

	// While somebody waits.
	for i := range 40 {
		c := startChild(t)
		p := Of(c.Process)
		var waits sync.WaitGroup
		for _, cancel := range []chan struct{}{nil, never} {
			waits.Go(func() {
				exited, err := p.Wait(cancel)
				expect(t, "Wait", exited, err, true)
			})
		}
		awaitWaits(t, 2)
		if i%2 == 0 {
			waits.Go(func() { steal(p.Pid()) })
			c.kill(t)
		} else {
			c.kill(t)
			steal(p.Pid())
		}
		waits.Wait()
	}
	expectNothingLeft(t)
}

// A wait that is called off, and one that is told, leave no descriptor.
func TestWaitsLeaveNoDescriptor(t *testing.T) {
	needWatch(t)
	testkit.Deadline(t, testkit.Stuck)
	c := startChild(t)
	before := testkit.Descriptors()
	for called := range 2 {
		cancel := make(chan struct{})
		var wait sync.WaitGroup
		wait.Go(func() { Of(c.Process).Wait(cancel) })
		_, stop := startWatch(t, c.Process)
		awaitPolled(t, 2, 1)
		if called == 0 {
			close(cancel)
		} else {
			c.kill(t)
		}
		wait.Wait()
		stop()
		expectClosedPoller(t)
		if n := testkit.Descriptors(); n > before { // the collector may close one of another test
			t.Errorf("%d descriptors, %d before", n, before)
		}
	}
}

// The poller sleeps while nothing exits.
func TestPollerSleeps(t *testing.T) {
	needWatch(t)
	testkit.Deadline(t, testkit.Stuck)
	startWatch(t, startChild(t).Process)
	const window = 200 * time.Millisecond
	before := cpuTime(t)
	time.Sleep(window)
	if used := cpuTime(t) - before; used > window/4 {
		t.Errorf("in %v it uses %v of processor time", window, used)
	}
}

// cpuTime returns the processor time that this process has used.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// What others do with the os.Process while a wait has its descriptor does not make
// the wait hang, and no other file gets the number.
func TestTakenFromAWait(t *testing.T) {
	needWatch(t)
	for name, take := range map[string]func(p *os.Process){
		"Release": func(p *os.Process) { p.Release() },
		"Wait":    func(p *os.Process) { p.Wait() },
	} {
		for how, cancel := range map[string]chan struct{}{"blocked": nil, "polled": never} {
			t.Run(name+" "+how, func(t *testing.T) {
				testkit.Deadline(t, testkit.Stuck)
				for range 20 {
					c := startChild(t)
					p := Of(c.Process)
					var wait, taken sync.WaitGroup
					wait.Go(func() {
						exited, err := p.Wait(cancel)
						expect(t, "Wait", exited, err, true)
					})
					if cancel == nil {
						testkit.Eventually(t, "it is in waitid", inWaitid)
					} else {
						awaitPolled(t, 1, 1)
					}
					if name == "Wait" {
						taken.Go(func() { take(c.Process) })
					} else {
						take(c.Process)
					}
					r, w, err := os.Pipe() // which would get a free number
					if err != nil {
						t.Fatal(err)
					}
					syscall.Kill(p.Pid(), syscall.SIGKILL)
					wait.Wait()
					taken.Wait()
					r.Close()
					w.Close()
					syscall.Wait4(p.Pid(), nil, 0, nil) // what was released
				}
				expectClosedPoller(t)
			})
		}
	}
}

// inWaitid reports whether a thread of this process is in waitid(2).
func inWaitid() bool {
	calls, _ := filepath.Glob("/proc/self/task/*/syscall")
	for _, path := range calls {
		b, _ := os.ReadFile(path)
		if strings.HasPrefix(string(b), strconv.Itoa(unix.SYS_WAITID)+" ") {
			return true
		}
	}
	return false
}

// A descriptor of the poller's is not passed on to a child.
func TestPollerIsNotInherited(t *testing.T) {
	needWatch(t)
	testkit.Deadline(t, testkit.Stuck)
	c := startChild(t)
	startWatch(t, c.Process)
	out, err := exec.Command("sh", "-c", "ls -l /proc/$$/fd").Output()
	if err != nil || strings.Contains(string(out), "eventpoll") || strings.Contains(string(out), "pidfd") {
		t.Errorf("a child has, %v:\n%s", err, out)
	}
}

// Where the kernel itself reaps children, a child is known until it exits.
func TestIgnoredChildren(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	out, err := testkit.Command(t, "ignore").CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

func helperIgnore([]string) int {
	signal.Ignore(syscall.SIGCHLD)
	for _, cancel := range []chan struct{}{nil, never} {
		cmd := exec.Command("cat")
		stdin, err := cmd.StdinPipe()
		check(err)
		check(cmd.Start())
		p := Of(cmd.Process)
		if exited, err := p.Exited(); exited || err != nil {
			return testkit.Complain("Exited:", exited, err)
		}
		go stdin.Close()
		if exited, err := p.Wait(cancel); !exited || err != nil {
			return testkit.Complain("Wait:", exited, err)
		}
		if exited, err := p.Exited(); !exited || err != nil {
			return testkit.Complain("Exited after Wait:", exited, err)
		}
	}
	return 0
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// Two thousand waits take neither many threads nor any descriptor.
func TestCrowd(t *testing.T) {
	needWatch(t)
	testkit.Deadline(t, testkit.Stuck)
	n := 2000
	if testing.Short() || testkit.RaceEnabled {
		n = 300
	}
	out, err := testkit.Command(t, "crowd", strconv.Itoa(n)).Output()
	if s := string(out); strings.HasPrefix(s, "skip: ") {
		t.Skip(s)
	}
	t.Logf("%d children: %s", n, out)
	for line := range strings.Lines(string(out)) {
		var threads, files int
		if _, err := fmt.Sscanf(line, "%d threads, %d descriptors more", &threads, &files); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if threads > maxThreads+24 || files > 1 {
			t.Error("too many")
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// helperCrowd waits for children, from a goroutine for each, and prints what that
// takes in a round, and in a smaller one after it.
func helperCrowd(args []string) int {
	n, err := strconv.Atoi(args[0])
	check(err)
	for _, n := range []int{n, n / 10} {
		cmds := make([]*exec.Cmd, n)
		for i := range cmds {
			cmds[i] = exec.Command("sleep", "1000")
			if err := cmds[i].Start(); err != nil {
				for _, c := range cmds[:i] {
					c.Process.Kill()
				}
				fmt.Printf("skip: after %d children: %v\n", i, err)
				return 0
			}
		}
		files := testkit.Descriptors()
		var waits sync.WaitGroup
		failed := make(chan error, n)
		for i, c := range cmds {
			waits.Go(func() {
				if exited, err := Of(c.Process).Wait([]chan struct{}{nil, never}[i%2]); !exited || err != nil {
					failed <- fmt.Errorf("Wait: %v, %w", exited, err)
				}
			})
		}
		for waiters := 0; waiters+int(threads.Load()) != n; {
			runtime.Gosched()
			waiters, _ = polled()
		}
		tasks, _ := os.ReadDir("/proc/self/task")
		fmt.Printf("%d threads, %d descriptors more\n", len(tasks), testkit.Descriptors()-files)
		for _, c := range cmds {
			check(c.Process.Kill())
		}
		waits.Wait()
		close(failed)
		for err := range failed {
			return testkit.Complain(err)
		}
		for _, c := range cmds {
			c.Wait()
		}
	}
	return 0
}
