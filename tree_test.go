package xexec_test

import (
	"errors"
	"runtime"
	"testing"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// Where there is a way to hold a tree, TreeKind names it; elsewhere Start says that
// there is none. Nobody asks for a tree without SetTree.
func TestTreeKindOnEverySystem(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.Helper(t, "exit", "3")
	c.SetTree(true)
	switch err := c.Run(); runtime.GOOS {
	case "linux", "darwin", "freebsd", "windows":
		if c.ProcessState == nil || c.ProcessState.ExitCode() != 3 || c.TreeKind() == xexec.NoTree {
			t.Errorf("Run: %v, TreeKind: %v", err, c.TreeKind())
		}
	default:
		if err == nil || c.Process == nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Run: %v", err)
		}
	}
	plain := xtest.Helper(t, "exit", "0")
	if err := plain.Run(); err != nil || plain.TreeKind() != xexec.NoTree {
		t.Errorf("without SetTree: %v, TreeKind: %v", err, plain.TreeKind())
	}
}
