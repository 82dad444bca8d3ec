package xexec_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/xexec"
)

func init() {
	registerHelper("refused", helperRefused)
}

// Whatever the kernel refuses to the poller, Wait and WaitContext do their work,
// with a thread for each child.
func TestWaitWithoutPoller(t *testing.T) {
	t.Parallel()
	for _, refused := range []string{
		"epoll_create1 ENOSYS", "epoll_create1 EMFILE", "epoll_create1 EPERM",
		"epoll_ctl EPERM", "epoll_ctl ENOSPC", "epoll_ctl ENOSYS",
		"epoll_pwait ENOSYS",
		"pidfd_open ENOSYS", "pidfd_open EPERM",
		"waitid ENOSYS",
		"descriptors EMFILE",
	} {
		t.Run(refused, func(t *testing.T) {
			deadline(t, stuck)
			call, errno, _ := strings.Cut(refused, " ")
			out, err := helperCmd(t, "refused", call, errno).CombinedOutput()
			if err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
			if s := string(out); strings.HasPrefix(s, "skip: ") {
				t.Skip(s)
			}
		})
	}
}

// helperRefused lets more children be waited for than may block a thread each,
// after the system call has been forbidden to this process.
func helperRefused(args []string) int {
	const n = xexec.MaxThreads + 8
	call, errno := args[0], args[1]
	refuse := func() { refuseCall(call, errno) }
	if call == "descriptors" {
		refuse = useUpDescriptors
	}
	if strings.HasPrefix(call, "pidfd") || call == "waitid" {
		refuse() // before package os tries it
		refuse = func() {}
	}
	// The runtime's poller is made now, which needs the same calls.
	r, w, err := os.Pipe()
	check(err)
	defer r.Close()
	defer w.Close()

	cmds := make([]*xexec.Cmd, n)
	for i := range cmds {
		cmds[i] = xexec.Command("sleep", "1000")
		check(cmds[i].Start())
		defer cmds[i].Kill()
	}
	refuse()

	// A wait that its context ends.
	ctx, cancel := context.WithCancelCause(context.Background())
	result := make(chan error)
	go func() { result <- cmds[0].WaitContext(ctx) }()
	awaitBlockedWaits(1)
	cancel(errCause)
	if err := <-result; err != errCause {
		return complain("WaitContext of a context that ended:", err)
	}

	var waiters sync.WaitGroup
	errs := make([]error, n)
	for i, c := range cmds {
		waiters.Go(func() {
			if i%2 == 0 {
				errs[i] = c.Wait()
			} else {
				errs[i] = c.WaitContext(context.Background())
			}
		})
	}
	awaitBlockedWaits(n)
	for _, c := range cmds {
		if err := c.Kill(); err != nil {
			return complain("Kill:", err)
		}
	}
	waiters.Wait()
	for _, err := range errs {
		if !killed(err) {
			return complain("Wait:", err)
		}
	}
	return 0
}

func complain(what ...any) int {
	fmt.Println(what...)
	return 1
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// awaitBlockedWaits waits until n goroutines block a thread to wait for a child,
// and none is in the poller, or in it any more.
func awaitBlockedWaits(n int) {
	buf := make([]byte, 1<<20)
	for end := time.Now().Add(stuck / 2); time.Now().Before(end); time.Sleep(time.Millisecond) {
		stacks := string(buf[:runtime.Stack(buf, true)])
		if strings.Count(stacks, "xexec.observe(")+strings.Count(stacks, "(*run).reapWith(") >= n && polledWaits() == 0 {
			return
		}
	}
	panic(fmt.Sprintf("not all wait, or not without the poller: %d, %s", polledWaits(), buf[:runtime.Stack(buf, true)]))
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

// refuseCall makes a system call fail with an error, in all threads.
func refuseCall(name, errno string) {
	numbers := map[string]uintptr{
		"epoll_create1": unix.SYS_EPOLL_CREATE1,
		"epoll_ctl":     unix.SYS_EPOLL_CTL,
		"epoll_pwait":   unix.SYS_EPOLL_PWAIT,
		"pidfd_open":    unix.SYS_PIDFD_OPEN,
		"waitid":        unix.SYS_WAITID,
	}
	errnos := map[string]unix.Errno{
		"ENOSYS": unix.ENOSYS, "EMFILE": unix.EMFILE, "EPERM": unix.EPERM, "ENOSPC": unix.ENOSPC,
	}
	refusal := denial{call: numbers[name], errno: errnos[errno]}
	if name == "epoll_pwait" {
		// The runtime cannot do without; how many events are asked for tells.
		refusal.arg, refusal.value = 2, xexec.MaxEvents
	}
	if err := deny(true, []denial{refusal}); err != nil {
		fmt.Println("skip: seccomp:", err)
		os.Exit(0)
	}
}
