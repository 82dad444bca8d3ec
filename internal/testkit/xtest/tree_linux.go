package xtest

import (
	"os"
	"sync"
	"syscall"
	"testing"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
)

// TreeKinds are the kinds of trees that xexec says can be had here.
var TreeKinds = sync.OnceValue(func() []xexec.TreeKind {
	kinds := []xexec.TreeKind{xexec.ProcessGroup}
	c := xexec.Command("true")
	c.SetTree(true)
	if c.Run() == nil && c.TreeKind() == xexec.Cgroup {
		kinds = append(kinds, xexec.Cgroup)
	}
	return kinds
})

// WithoutCgroup returns the attributes of a child that is to be in our cgroup.
func WithoutCgroup(t testing.TB) *syscall.SysProcAttr {
	if testkit.CgroupDir() == "" {
		return nil
	}
	dir, err := os.Open(testkit.CgroupDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
}
