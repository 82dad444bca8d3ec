package exits

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/xexec/internal/testkit"
)

func init() {
	testkit.Register("refused", helperRefused)
	testkit.Register("blind", helperBlind)
}

// Whatever the kernel refuses to the poller, all waits are told of the exit, and
// those that can be called off are.
func TestRefused(t *testing.T) {
	for _, refused := range []string{
		"epoll_create1 ENOSYS", "epoll_create1 EMFILE", "epoll_create1 EPERM",
		"epoll_ctl EPERM", "epoll_ctl ENOSPC", "epoll_ctl ENOSYS",
		"epoll_wait ENOSYS",
		"pidfd_open ENOSYS", "pidfd_open EPERM",
		"descriptors EMFILE",
	} {
		t.Run(refused, func(t *testing.T) { runRefused(t, "refused", strings.Fields(refused)...) })
	}
}

// Where waitid is refused, nothing can be seen, and that is said.
func TestBlind(t *testing.T) {
	for _, refused := range []string{"waitid ENOSYS early", "waitid EPERM early", "waitid ENOSYS late", "waitid EPERM late"} {
		t.Run(refused, func(t *testing.T) { runRefused(t, "blind", strings.Fields(refused)...) })
	}
}

func runRefused(t *testing.T, helper string, args ...string) {
	testkit.NeedSeccomp(t)
	t.Parallel()
	testkit.Deadline(t, testkit.Stuck)
	if out, err := testkit.Command(t, helper, args...).CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

func helperRefused(args []string) int {
	call := args[0]
	refuse := func() { refuseCall(args) }
	switch call {
	case "descriptors":
		refuse = useUpDescriptors
	case "pidfd_open":
		refuse() // before package os tries it
		refuse = func() {}
	}
	// The runtime's poller is made now, which needs the same calls.
	r, w, err := os.Pipe()
	check(err)
	defer r.Close()
	defer w.Close()

	const n = maxThreads + 8
	ps := make([]*Process, n)
	for i := range ps {
		cmd := exec.Command("sleep", "1000")
		check(cmd.Start())
		defer cmd.Process.Kill()
		ps[i] = Of(cmd.Process)
	}
	refuse()

	// Waits that are called off share a goroutine.
	cancel := make(chan struct{})
	var calledOff sync.WaitGroup
	failed := make(chan string, 2*n)
	for range 3 {
		calledOff.Go(func() {
			if exited, err := ps[0].Wait(cancel); exited || err != nil {
				failed <- fmt.Sprint("Wait that is called off: ", exited, err)
			}
		})
	}
	for goroutines("(*observer).wait(") != 3 {
		runtime.Gosched()
	}
	close(cancel)
	calledOff.Wait()
	if n := goroutines("(*observer).wait"); n != 1 {
		return testkit.Complain("observers:", n)
	}

	gone, stop, err := tryWatch(ps[0].OS)
	if call != "epoll_wait" && err == nil {
		return testkit.Complain("Watch works")
	}
	if err == nil {
		defer stop()
	}
	var waits sync.WaitGroup
	for i, p := range ps {
		waits.Go(func() {
			if exited, err := p.Wait([]chan struct{}{nil, never}[i%2]); !exited || err != nil {
				failed <- fmt.Sprint("Wait: ", exited, err)
			}
		})
	}
	// All block a thread, that of ps[0] another one than its observer's.
	for goroutines("waitid(") < n || goroutines("(*Process).Wait.func") > 0 {
		runtime.Gosched()
	}
	for _, p := range ps {
		if exited, err := p.Exited(); exited || err != nil {
			return testkit.Complain("Exited:", exited, err)
		}
		check(p.OS.Kill())
	}
	waits.Wait()
	select {
	case s := <-failed:
		return testkit.Complain(s)
	case <-gone:
		return testkit.Complain("Watch works")
	default:
	}
	for _, p := range ps {
		if exited, err := p.Exited(); !exited || err != nil {
			return testkit.Complain("Exited:", exited, err)
		}
		if state, err := p.Reap(); err != nil || state.Success() {
			return testkit.Complain("Reap:", state, err)
		}
		if state, err := p.Reap(); !errors.Is(err, syscall.ECHILD) {
			return testkit.Complain("Reap of what was reaped:", state, err)
		}
	}
	return 0
}

func helperBlind(args []string) int {
	if args[2] == "early" {
		refuseCall(args) // so that package os does without pidfds
	}
	cmd := exec.Command("sleep", "1000")
	check(cmd.Start())
	defer cmd.Process.Kill()
	if args[2] == "late" {
		refuseCall(args)
	}
	p := Of(cmd.Process)
	for what, f := range looks(p) {
		exited, err := f()
		if exited || err == nil || args[1] == "ENOSYS" && !errors.Is(err, errors.ErrUnsupported) {
			return testkit.Complain(what, exited, err)
		}
	}
	return 0
}

// useUpDescriptors leaves no descriptor to this process.
func useUpDescriptors() {
	limit := unix.Rlimit{Cur: 200, Max: 200}
	check(unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	for {
		if _, err := unix.Dup(0); err != nil {
			return
		}
	}
}

// refuseCall makes the system call args[0] fail with the error args[1], in all
// threads.
func refuseCall(args []string) {
	call := map[string]uintptr{
		"epoll_create1": unix.SYS_EPOLL_CREATE1,
		"epoll_ctl":     unix.SYS_EPOLL_CTL,
		"pidfd_open":    unix.SYS_PIDFD_OPEN,
		"waitid":        unix.SYS_WAITID,
	}[args[0]]
	errno := map[string]unix.Errno{
		"ENOSYS": unix.ENOSYS, "EMFILE": unix.EMFILE, "EPERM": unix.EPERM, "ENOSPC": unix.ENOSPC,
	}[args[1]]
	denials := []testkit.Denial{{Call: call, Errno: errno}}
	if args[0] == "epoll_wait" {
		denials = testkit.WithoutEpoll
	}
	check(testkit.Deny(true, denials))
}
