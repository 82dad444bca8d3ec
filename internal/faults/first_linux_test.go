package faults_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() {
	testkit.Register("first", helperFirst)
}

// The first commands of a process open what later ones find open, and find out
// what later ones know. Each step of that may be refused, for once.
func TestFirstStartOfAProcess(t *testing.T) {
	t.Parallel()
	testkit.Deadline(t, testkit.Stuck)
	kinds := xtest.TreeKinds()
	kind := kinds[len(kinds)-1]
	if out, err := testkit.Command(t, "first", kind.String()).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// helperFirst is given what a tree is here.
func helperFirst(args []string) int {
	before := testkit.Descriptors()
	refusal := []testkit.Denial{{Call: unix.SYS_OPENAT, Errno: unix.ENFILE}}
	testkit.OnThreadOfItsOwn(func() {
		if testkit.Deny(false, refusal) != nil {
			return // there is no such filter here
		}
		err := firstTree(false).Start()
		sayIfNot(errors.Is(err, unix.ENFILE) && strings.HasPrefix(err.Error(), "open /dev/null: "), "Start: %v", err)
		// With files of its own it can do without a cgroup.
		c := firstTree(true)
		if err := c.Start(); err != nil {
			fmt.Println("a tree that has its files:", err)
			return
		}
		sayIfNot(c.TreeKind() == xexec.ProcessGroup, "a tree is a %v", c.TreeKind())
		c.Wait() // as the program has the filter, too, it may have failed
	})

	var old unix.Rlimit
	unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &old)
	refused := make(map[string]bool)
	kind := xexec.NoTree
	for limit, last := 0, testkit.Descriptors()+20; limit < last; limit++ {
		c := firstTree(false)
		unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(limit), Max: old.Max}, nil)
		err := c.Start()
		unix.Prlimit(0, unix.RLIMIT_NOFILE, &old, nil)
		if err == nil {
			kind = c.TreeKind()
			err = c.Wait()
			sayIfNot(err == nil, "with %d: Wait: %v", limit, err)
			continue
		}
		sayIfNot(kind == xexec.NoTree, "with %d, and not with fewer: %v", limit, err)
		sayIfNot(errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.EBADF), "with %d: %v", limit, err)
		refused[err.Error()] = true
	}
	sayIfNot(refused["open /dev/null: too many open files"], "refused were %v", refused)
	if n := testkit.Descriptors(); n > before+4 { // two of the null device, and the runtime's poller
		fmt.Printf("%d descriptors, %d before\n", n, before)
	}
	sayIfNot(kind.String() == args[0], "a tree is a %v, and can be a %s", kind, args[0])
	return 0
}

// firstTree returns a tree that ends at once.
func firstTree(withFiles bool) *xexec.Cmd {
	c := selfCmd("exit", "0")
	c.SetTree(true)
	if withFiles {
		c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdin, os.Stdin
	}
	return c
}
