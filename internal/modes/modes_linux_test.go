package modes_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// The packages whose tests are run in a mode.
var packages = []string{".", "internal/differential", "internal/model", "internal/faults", "internal/modes"}

// TestWithoutPidfd runs all tests as on a kernel without pidfds.
func TestWithoutPidfd(t *testing.T) {
	testkit.NeedLong(t, "all tests once more")
	for _, pkg := range packages {
		runIn(t, "pidfd", pkg, "-test.v", "-test.short")
	}
}

// All tests of trees, on the systems that this one can be made to look like. They
// run by themselves: beside other tests, some would find the machine too slow for
// what they look at.
func TestOlderKernels(t *testing.T) {
	testkit.NeedLong(t, "all tests of trees once more")
	for _, sandbox := range []string{"no pidfd", "no pidfd groups"} {
		runIn(t, sandbox, ".", "-test.v", "-test.run=Tree|OnlyTheRest|LeaderOnly")
		runIn(t, sandbox, "internal/faults", "-test.v", "-test.run=Tree")
	}
}

// runIn runs the tests of a package in a sandbox.
func runIn(t *testing.T, sandbox, pkg string, flags ...string) {
	t.Run(sandbox+" "+pkg, func(t *testing.T) {
		testkit.NeedSandbox(t, sandbox)
		if in := testkit.Sandboxed(); in != "" {
			t.Skip("these tests are in the sandbox ", in)
		}
		dir, err := filepath.Abs(filepath.Join("../..", pkg))
		if err != nil {
			t.Fatal(err)
		}
		bin := filepath.Join(t.TempDir(), "tests")
		build := exec.Command("go", "test", "-c", "-o", bin, ".")
		build.Dir = dir
		if out, err := build.CombinedOutput(); err != nil {
			testkit.Lack(t, "go test -c: ", err, string(out))
		}
		c := exec.Command(bin, append([]string{testkit.HelperArg, "sandbox", sandbox, "-test.timeout=20m"}, flags...)...)
		c.Dir, c.WaitDelay = dir, testkit.Stuck
		c.Env = append(os.Environ(), "XEXEC_RACE_ROUNDS=5")
		started := time.Now()
		out, err := c.CombinedOutput()
		ran := strings.Count(string(out), "=== RUN ")
		t.Logf("%d tests and subtests in %v", ran, time.Since(started).Round(time.Second))
		if err != nil || ran == 0 {
			t.Errorf("%v\n%s", err, failures(string(out)))
		}
	})
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
	mode := testkit.Sandboxed()
	pidfd := testkit.Pidfd()
	if mode == "pidfd" && !errors.Is(pidfd, unix.ENOSYS) {
		t.Errorf("there are pidfds: %v", pidfd)
	}
	tree := xtest.Helper(t, "exit", "0")
	tree.SetTree(true)
	if err := tree.Run(); err != nil {
		t.Fatal(err)
	}
	kind := tree.TreeKind()
	t.Logf("pidfd: %v; a tree is a %v", pidfd, kind)
	switch {
	case (mode == "pidfd" || mode == "cgroup") && kind != xexec.ProcessGroup:
		t.Errorf("and not a group")
	case mode == "" && pidfd == nil && testkit.CgroupDir() != "" && kind != xexec.Cgroup:
		t.Error("and not a cgroup, which can be made here")
	}
	c := xtest.StartSleep(t)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() { result <- c.WaitContext(ctx) }()
	defer func() { cancel(); <-result }()
	switch mode {
	case "epoll", "pidfd":
		if err := testkit.AwaitBlockedWaits(1); err != nil {
			t.Error(err)
		}
	case "":
		if pidfd == nil {
			testkit.NeedPoller(t)
			testkit.Eventually(t, "it is polled", func() bool { return testkit.PolledWaits() == 1 })
		}
	}
}
