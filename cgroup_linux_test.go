package xexec_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example.com/xexec"
)

func init() {
	registerHelper("tree", helperTree)
	registerHelper("obedient", helperObedient)
}

// helperTree runs a tree and prints what kind it was and how it ended. Its argument
// is how many cgroups are left of a process that had our id and was killed.
func helperTree(args []string) int {
	for i := range atoi(args[0]) {
		dir := fmt.Sprintf("%s/xexec-%d-%d", cgroupDir(), os.Getpid(), i+1)
		if err := os.Mkdir(dir, 0o755); err != nil {
			fmt.Println(err)
		}
		defer syscall.Rmdir(dir)
	}
	c := xexec.Command("sh", "-c", "sleep 1000 & echo out")
	c.SetTree(true)
	out, err := c.Output()
	fmt.Printf("%v %q %v\n", c.TreeKind(), out, err)
	return 0
}

// helperObedient asks a tree to end that does so, and prints what kind it was and
// what the errors were. Its argument is "cgroup", or "group" for none.
func helperObedient(args []string) int {
	c := xexec.Command("sleep", "1000")
	c.SetTree(true)
	if args[0] == "group" {
		own, err := os.Open(cgroupDir())
		if err != nil {
			fmt.Println(err)
			return 1
		}
		c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(own.Fd())}
	}
	if err := c.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Print(c.TreeKind(), " ", c.Signal(syscall.Signal(0)), " ", c.Terminate())
	fmt.Println("", c.Wait(), c.Kill())
	return 0
}

// That a process cannot be observed is no reason not to signal it.
func TestTreeWithoutWaitid(t *testing.T) {
	t.Parallel()
	needCgroup(t)
	for arg, kind := range map[string]xexec.TreeKind{"cgroup": xexec.Cgroup, "group": xexec.ProcessGroup} {
		t.Run(arg, func(t *testing.T) {
			t.Parallel()
			deadline(t, stuck)
			out, err := sandboxCmd(t, "no waitid", "obedient", arg).CombinedOutput()
			if want := fmt.Sprintf("%v <nil> <nil> signal: terminated %v\n", kind, os.ErrProcessDone); string(out) != want || err != nil {
				t.Errorf("%s%v, want %s", out, err, want)
			}
		})
	}
}

func needCgroup(t testing.TB) {
	t.Helper()
	if os.Getenv(withoutEnv) == "pidfd" {
		t.Skip("a cgroup is used through clone3 and pidfds alone")
	}
	if cgroupDir() == "" {
		t.Skip("no cgroup can be made here")
	}
}

// cgroups returns those that trees of process pid have made below dir, and those
// that are left of a killed process that had that id once.
func cgroups(dir string, pid int) []string {
	found, _ := filepath.Glob(fmt.Sprintf("%s/xexec-%d-*", dir, pid))
	return found
}

// newCgroups returns a function that returns those that trees of process pid have
// made below dir since.
func newCgroups(dir string) func(pid int) []string {
	before, _ := filepath.Glob(dir + "/xexec-*")
	return func(pid int) []string {
		return slices.DeleteFunc(cgroups(dir, pid), func(dir string) bool { return slices.Contains(before, dir) })
	}
}

// All other tests of trees, on the systems that this one can be made to look
// like. They run by themselves: beside other tests, some would find the machine
// too slow for what they look at.
func TestOlderKernels(t *testing.T) {
	if testing.Short() {
		t.Skip("runs all tests of trees more than once")
	}
	if mode := os.Getenv(withoutEnv); mode != "" {
		t.Skipf("not again without %s", mode)
	}
	for _, name := range []string{"no pidfd", "no pidfd groups"} {
		t.Run(name, func(t *testing.T) {
			deadline(t, 4*stuck)
			c := sandboxCmd(t, name, "-run=Tree|OnlyTheRest|LeaderOnly")
			c.Env = append(os.Environ(), "XEXEC_RACE_ROUNDS=5")
			out, err := c.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestTreeKindElsewhere(t *testing.T) {
	t.Parallel()
	needCgroup(t)
	kinds := map[string]xexec.TreeKind{"nothing": xexec.Cgroup, "no waitid": xexec.Cgroup}
	for name := range sandboxes {
		if strings.Contains(name, "clone3") || strings.Contains(name, "cgroup") {
			kinds[name] = xexec.ProcessGroup
		}
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deadline(t, stuck)
			c := sandboxCmd(t, name, "tree", "0")
			made := newCgroups(cgroupDir())
			out, err := c.CombinedOutput()
			if want := fmt.Sprintf("%v %q <nil>\n", kind, "out\n"); string(out) != want || err != nil {
				t.Errorf("%s %v, want %s", out, err, want)
			}
			if left := made(c.Process.Pid); len(left) != 0 {
				t.Errorf("left: %s", left)
			}
		})
	}
}

// Where a cgroup can be made, but not used, or not made.
func TestTreeKindInACgroup(t *testing.T) {
	t.Parallel()
	needCgroup(t)
	deadline(t, stuck)
	for _, test := range []struct {
		name, file, value, sandbox, left string
		want                             xexec.TreeKind
	}{
		{"plain", "", "", "nothing", "0", xexec.Cgroup},
		{"room for one", "cgroup.max.descendants", "1", "nothing", "0", xexec.Cgroup},
		{"threaded", "cgroup.type", "threaded", "nothing", "0", xexec.ProcessGroup},            // EOPNOTSUPP
		{"no more cgroups", "cgroup.max.descendants", "0", "nothing", "0", xexec.ProcessGroup}, // EAGAIN
		{"no deeper cgroups", "cgroup.max.depth", "0", "nothing", "0", xexec.ProcessGroup},     // EAGAIN
		{"mount of another namespace", "", "", "other namespace", "0", xexec.ProcessGroup},
		{"killed predecessor", "", "", "nothing", "1000", xexec.Cgroup}, // EEXIST
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := newTestCgroup(t)
			c := sandboxCmd(t, test.sandbox, "tree", test.left)
			f, err := os.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if c.SysProcAttr == nil {
				c.SysProcAttr = new(syscall.SysProcAttr)
			}
			c.SysProcAttr.UseCgroupFD, c.SysProcAttr.CgroupFD = true, int(f.Fd())
			if test.file != "" {
				if err := os.WriteFile(filepath.Join(dir, test.file), []byte(test.value), 0); err != nil {
					t.Fatal(err)
				}
			}
			out, err := c.CombinedOutput()
			if want := fmt.Sprintf("%v %q <nil>\n", test.want, "out\n"); string(out) != want || err != nil {
				t.Errorf("%s %v, want %s", out, err, want)
			}
			if left := cgroups(dir, c.Process.Pid); left != nil {
				t.Errorf("left: %s", left)
			}
		})
	}
}

// newTestCgroup makes a cgroup that is removed when the test ends.
func newTestCgroup(t testing.TB) string {
	dir, err := os.MkdirTemp(cgroupDir(), "xexec-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Rmdir(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestEscapesFromTheProcessGroup(t *testing.T) {
	t.Parallel()
	needCgroup(t)
	deadline(t, stuck)
	if _, err := xexec.LookPath("setsid"); err != nil {
		t.Skip(err)
	}
	tt := newTreeTest(t, xexec.Cgroup)

	t.Run("leader exits", func(t *testing.T) {
		c := tt.sh("setsid sleep 1000 & setsid setsid sleep 1000 & setsid sh -c 'sleep 1000 & sleep 1000 &' & echo out")
		tt.soon(func() {
			if out, err := c.Output(); string(out) != "out\n" || err != nil {
				t.Errorf("%q, %v", out, err)
			}
		})
		tt.gone()
	})
	t.Run("shutdown", func(t *testing.T) {
		c := tt.sh("setsid " + inShell(polite) + "; wait")
		w := tt.start(c)
		ctx, cancel := context.WithTimeout(context.Background(), stuck)
		defer cancel()
		if err := c.Shutdown(ctx); err != nil || w.String() != "ready\nclean\n" {
			t.Errorf("Shutdown: %v, output %q", err, w)
		}
		tt.gone()
	})
	t.Run("kill", func(t *testing.T) {
		c := tt.sh("setsid " + inShell(deaf) + "; wait")
		tt.start(c)
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
		c.Wait()
		tt.gone()
	})
	t.Run("without a cgroup", func(t *testing.T) {
		// The limit that the documentation names.
		gt := newTreeTest(t, xexec.ProcessGroup)
		c := gt.sh("setsid sh -c 'echo ready; exec sleep 1000' & wait")
		gt.start(c)
		eventually(t, "sleep runs", func() bool { return len(marked(gt.mark)) == 2 })
		c.Stdout = nil
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
		eventually(t, "the leader is gone", func() bool { return len(marked(gt.mark)) == 1 })
		for _, pid := range marked(gt.mark) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		c.Wait()
	})
}

// Cgroups are removed, whatever became of the command; also those that the
// command has made in its own.
func TestCgroupsAreRemoved(t *testing.T) {
	needCgroup(t) // not parallel: it counts
	deadline(t, stuck)
	made := newCgroups(cgroupDir())
	count := func() int { return len(made(os.Getpid())) }
	start := func(c *xexec.Cmd) error {
		c.SetTree(true)
		return c.Start()
	}
	c := xexec.Command("sleep", "1000")
	if err := start(c); err != nil || count() != 1 {
		t.Errorf("%v, %d cgroups while one runs", err, count())
	}
	nested := filepath.Join(made(os.Getpid())[0], "nested", "deep")
	if err := os.MkdirAll(nested, 0o755); err != nil {
		t.Error(err)
	}
	c.Kill()
	c.Wait()

	broken := filepath.Join(t.TempDir(), "broken")
	os.WriteFile(broken, []byte("\x7fELF"), 0o777)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []*xexec.Cmd{
		xexec.Command(broken),
		xexec.Command("/nonexistent"),
		xexec.Command("no such command"),
		xexec.CommandContext(ended, "true"),
		{Path: broken, SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pgid: 1}},
		{Path: "/bin/sh", Dir: "/nonexistent"},
	} {
		if err := start(c); err == nil {
			t.Errorf("%v was started", c)
		}
	}
	if n := count(); n != 0 {
		t.Errorf("%d are left", n)
	}
}
