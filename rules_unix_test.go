//go:build unix

package xexec_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

func TestSysProcAttrReachesTheChild(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, p execPackage) {
		for _, leader := range []bool{false, true} {
			c := p.helper(t, "ids")
			want := "group leader false\n"
			if leader {
				c.std().SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
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
	both(t, func(t *testing.T, p execPackage) {
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
		c := p.helper(t, "descriptors", "4", "6")
		c.std().ExtraFiles = []*os.File{nil, file("fourth"), nil, file("sixth")}
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
	both(t, func(t *testing.T, p execPackage) {
		c := p.command("prog")
		if c.std().Path != path || c.std().Args[0] != "prog" || !errors.Is(c.std().Err, exec.ErrDot) {
			t.Errorf("Path %q, Args %q, Err %v", c.std().Path, c.std().Args, c.std().Err)
		}
		if err := c.Start(); !errors.Is(err, exec.ErrDot) {
			t.Errorf("Start: %v", err)
		}
		// The documented way to have it run all the same.
		c = p.command("prog")
		c.std().Err = nil
		if out, err := c.Output(); string(out) != "found" {
			t.Errorf("%q, %v", out, err)
		}
	})
}
