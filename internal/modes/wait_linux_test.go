package modes_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() {
	testkit.Register("refused", helperRefused)
}

// Whatever the kernel refuses to the poller, Wait and WaitContext do their work,
// with a thread for each child.
func TestWaitWithoutPoller(t *testing.T) {
	t.Parallel()
	testkit.NeedSeccomp(t)
	testkit.NeedDescriptors(t, 200)
	for _, refused := range []string{
		"epoll_create1 ENOSYS", "epoll_create1 EMFILE", "epoll_create1 EPERM",
		"epoll_ctl EPERM", "epoll_ctl ENOSPC", "epoll_ctl ENOSYS",
		"epoll_wait ENOSYS",
		"pidfd_open ENOSYS", "pidfd_open EPERM",
		"waitid ENOSYS",
		"descriptors EMFILE",
	} {
		t.Run(refused, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)
			call, errno, _ := strings.Cut(refused, " ")
			out, err := xtest.Helper(t, "refused", call, errno).CombinedOutput()
			if err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

// helperRefused lets more children be waited for than may block a thread each,
// after the system call has been forbidden to this process.
func helperRefused(args []string) int {
	const n = 80 // more than block a thread where there is a poller
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
	check(testkit.AwaitBlockedWaits(1))
	cancel(testkit.ErrCause)
	if err := <-result; !errors.Is(err, testkit.ErrCause) {
		return testkit.Complain("WaitContext of a context that ended:", err)
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
	check(testkit.AwaitBlockedWaits(n))
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
	return 0
}

func check(err error) {
	if err != nil {
		panic(err)
	}
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
		"pidfd_open":    unix.SYS_PIDFD_OPEN,
		"waitid":        unix.SYS_WAITID,
	}
	errnos := map[string]unix.Errno{
		"ENOSYS": unix.ENOSYS, "EMFILE": unix.EMFILE, "EPERM": unix.EPERM, "ENOSPC": unix.ENOSPC,
	}
	denials := []testkit.Denial{{Call: numbers[name], Errno: errnos[errno]}}
	if name == "epoll_wait" { // the runtime cannot do without
		denials = testkit.WithoutEpoll
	}
	check(testkit.Deny(true, denials))
}
