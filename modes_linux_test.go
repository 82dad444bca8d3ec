//go:build linux && (386 || amd64 || arm64)

package xexec_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/xexec"
)

func init() {
	registerHelper("without", helperWithout)
}

// helperWithout takes something from the process, then becomes the program of
// the other arguments, which runs without it.
func helperWithout(args []string) int {
	runtime.LockOSThread()
	var err error
	switch args[0] {
	case "pidfd":
		err = deny(true, withoutPidfd)
	case "cgroup":
		err = hideCgroups()
	case "epoll":
		err = deny(true, withoutEpoll)
	default:
		err = errors.New("cannot do without")
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", args[0], err)
		return cannotDoWithout
	}
	os.Unsetenv(helperEnv) // run the tests
	os.Setenv(withoutEnv, args[0])
	err = unix.Exec(args[1], args[1:], os.Environ())
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// cannotDoWithout is the exit code of helperWithout where the system does not
// let it take what it is to take.
const cannotDoWithout = 77

// hideCgroups mounts an empty file system over the control groups, in a mount
// name space of its own.
func hideCgroups() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	if err := unix.Mount("none", "/sys/fs/cgroup", "tmpfs", unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	return nil
}

// TestWithoutPidfd runs the whole suite as on a kernel without pidfds.
func TestWithoutPidfd(t *testing.T) {
	runSuiteWithout(t, "pidfd")
}

// runSuiteWithout runs the tests of this binary in a child that does without
// something.
func runSuiteWithout(t *testing.T, what string) {
	exe, argv := needHelper(t, "without", what)
	if mode := os.Getenv(withoutEnv); mode != "" {
		t.Skipf("this is the suite without %s", mode)
	}
	if testing.Short() {
		t.Skip("it runs the suite once more")
	}
	// By itself, and not beside the suite: some tests look at what takes longer
	// on a machine with too much to do.
	suite := []string{exe, "-test.count=1", "-test.timeout=20m", "-test.v"}
	c := exec.Command(exe, append(argv, suite...)...)
	c.WaitDelay = stuck
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	started := time.Now()
	err := c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == cannotDoWithout {
		t.Skip(out.String())
	}
	ran := strings.Count(out.String(), "\n=== RUN ")
	t.Logf("%d tests and subtests in %v", ran, time.Since(started).Round(time.Second))
	if err != nil {
		t.Errorf("%v\n%s", err, failures(out.String()))
	}
	if ran < 100 {
		t.Errorf("the suite was not run:\n%s", out.String())
	}
}

// failures returns what a verbose run says about the tests that did not pass,
// and its end.
func failures(out string) string {
	var b strings.Builder
	lines := strings.SplitAfter(out, "\n")
	for i, line := range lines {
		if s := strings.TrimSpace(line); strings.HasPrefix(s, "--- FAIL") || i > len(lines)-30 || strings.Contains(s, "_test.go:") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// The mode must be what its name says.
func TestModeIsWhatItSays(t *testing.T) {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err == nil {
		unix.Close(fd)
	}
	if without := os.Getenv(withoutEnv); without == "pidfd" && err != unix.ENOSYS {
		t.Errorf("there are pidfds: %v", err)
	}
	tree := helperCmd(t, "exit", "0")
	tree.SetTree(true)
	if err := tree.Run(); err != nil {
		t.Fatal(err)
	}
	switch kind := tree.TreeKind(); os.Getenv(withoutEnv) {
	case "pidfd", "cgroup":
		if kind != xexec.ProcessGroup {
			t.Errorf("a tree is a %v", kind)
		}
	default:
		t.Logf("a tree is a %v", kind)
		if cgroupDir() != "" && kind != xexec.Cgroup {
			t.Error("and not a cgroup, which can be made here")
		}
	}
	refused := startSleep(t)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() { result <- refused.WaitContext(ctx) }()
	if mode := os.Getenv(withoutEnv); mode == "epoll" || mode == "pidfd" {
		awaitBlockedWaits(1)
	} else {
		eventually(t, "it is polled", func() bool { return polledWaits() == 1 })
	}
	cancel()
	<-result

	c := stdHelperCmd(t, "exit", "0")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	handle := c.Process.WithHandle(func(uintptr) {})
	if (handle == nil) != (err == nil) {
		t.Errorf("pidfd_open: %v; os.Process: %v", err, handle)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}
