package modes_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
)

func init() {
	testkit.Register("obedient", helperObedient)
	testkit.Register("tree", helperTree)
}

// helperTree runs a tree and prints what kind it was and how it ended. Its argument
// is how many cgroups are left of a process that had our id and was killed.
func helperTree(args []string) int {
	for i := range testkit.Atoi(args[0]) {
		dir := fmt.Sprintf("%s/xexec-%d-%d", testkit.CgroupDir(), os.Getpid(), i+1)
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
		own, err := os.Open(testkit.CgroupDir())
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
	testkit.NeedCgroup(t)
	for arg, kind := range map[string]xexec.TreeKind{"cgroup": xexec.Cgroup, "group": xexec.ProcessGroup} {
		t.Run(arg, func(t *testing.T) {
			t.Parallel()
			testkit.Deadline(t, testkit.Stuck)
			out, err := testkit.SandboxCmd(t, "no waitid", "obedient", arg).CombinedOutput()
			if want := fmt.Sprintf("%v <nil> <nil> signal: terminated %v\n", kind, os.ErrProcessDone); string(out) != want || err != nil {
				t.Errorf("%s%v, want %s", out, err, want)
			}
		})
	}
}

func TestTreeKindElsewhere(t *testing.T) {
	t.Parallel()
	testkit.NeedCgroup(t)
	kinds := map[string]xexec.TreeKind{"nothing": xexec.Cgroup, "no waitid": xexec.Cgroup}
	for name := range testkit.Sandboxes {
		if strings.Contains(name, "clone3") || strings.Contains(name, "cgroup") {
			kinds[name] = xexec.ProcessGroup
		}
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.Deadline(t, testkit.Stuck)
			c := testkit.SandboxCmd(t, name, "tree", "0")
			made := testkit.NewCgroups(testkit.CgroupDir())
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
	testkit.NeedCgroup(t)
	testkit.Deadline(t, testkit.Stuck)
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
			dir := testkit.NewTestCgroup(t)
			c := testkit.SandboxCmd(t, test.sandbox, "tree", test.left)
			f, err := os.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
			if test.file != "" {
				if err := os.WriteFile(filepath.Join(dir, test.file), []byte(test.value), 0); err != nil {
					t.Fatal(err)
				}
			}
			out, err := c.CombinedOutput()
			if want := fmt.Sprintf("%v %q <nil>\n", test.want, "out\n"); string(out) != want || err != nil {
				t.Errorf("%s %v, want %s", out, err, want)
			}
			if left := testkit.Cgroups(dir, c.Process.Pid); left != nil {
				t.Errorf("left: %s", left)
			}
		})
	}
}
