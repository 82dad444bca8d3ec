//go:build unix

package differential_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"example.com/xexec/internal/testkit/xtest"
)

func TestSysProcAttrReachesTheChild(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		for _, leader := range []bool{false, true} {
			c := p.Helper(t, "ids")
			want := "group leader false\n"
			if leader {
				c.Std().SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
				want = "group leader true\n"
			}
			if out, err := c.Output(); string(out) != want {
				t.Errorf("%q, %v; want %q", out, err, want)
			}
		}
	})
}

func TestNilExtraFilesKeepTheirNumbers(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		file := func(text string) *os.File {
			name := filepath.Join(t.TempDir(), text)
			if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			return f
		}
		c := p.Helper(t, "descriptors", "4", "6")
		c.Std().ExtraFiles = []*os.File{nil, file("fourth"), nil, file("sixth")}
		const want = "4: \"fourth\" <nil>\n6: \"sixth\" <nil>\n"
		if out, err := c.Output(); string(out) != want {
			t.Errorf("%s, %v", out, err)
		}
	})
}

// Not parallel: it changes the working directory and PATH.
func TestPathIsKeptWithErrDot(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", "bin")
	if err := os.Mkdir("bin", 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("bin", "prog")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nprintf found\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		c := p.Command("prog")
		if c.Std().Path != path || c.Std().Args[0] != "prog" || !errors.Is(c.Std().Err, exec.ErrDot) {
			t.Errorf("Path %q, Args %q, Err %v", c.Std().Path, c.Std().Args, c.Std().Err)
		}
		if err := c.Start(); !errors.Is(err, exec.ErrDot) {
			t.Errorf("Start: %v", err)
		}
		// The documented way to have it run all the same.
		c = p.Command("prog")
		c.Std().Err = nil
		if out, err := c.Output(); string(out) != "found" {
			t.Errorf("%q, %v", out, err)
		}
	})
}
