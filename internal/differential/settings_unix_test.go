//go:build unix

package differential_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() {
	testkit.Register("descriptors", helperDescriptors)
	testkit.Register("ids", helperIDs)
	testkit.Register("trap", helperTrap)
}

// helperDescriptors prints what it reads from descriptors. There is no telling
// which others are open: the runtime has some.
func helperDescriptors(args []string) int {
	for _, arg := range args {
		fd := testkit.Atoi(arg)
		b, err := io.ReadAll(os.NewFile(uintptr(fd), arg))
		fmt.Printf("%d: %q %v\n", fd, b, err)
	}
	return 0
}

func helperIDs([]string) int {
	pgid, _ := unix.Getpgid(0)
	fmt.Println("group leader", pgid == os.Getpid())
	return 0
}

// helperTrap exits with code 7 when it gets a SIGTERM.
func helperTrap([]string) int {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	fmt.Println("ready")
	<-c
	return 7
}

func TestSameAsOsExecOnUnix(t *testing.T) {
	for _, c := range unixCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.compare(t)
		})
	}
}

var unixCases = []diffCase{
	{"ExtraFiles", "3: \\\"third\\\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "descriptors", "3", "5")
		c.Std().ExtraFiles = []*os.File{fileWith(r, "third"), nil, fileWith(r, "fifth")}
		r.output(c)
	}},
	{"ExtraFiles closed", "success true", func(r *report, p xtest.Package) {
		f := fileWith(r, "")
		f.Close()
		c := p.Helper(r, "exit", "0")
		c.Std().ExtraFiles = []*os.File{f}
		r.run(c)
	}},
	{"SysProcAttr Setpgid", "group leader true", func(r *report, p xtest.Package) {
		c := p.Helper(r, "ids")
		c.Std().SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		r.output(c)
		r.note("SysProcAttr", fmt.Sprintf("%+v", *c.Std().SysProcAttr))
	}},
	{"SysProcAttr Setsid", "group leader true", func(r *report, p xtest.Package) {
		c := p.Helper(r, "ids")
		c.Std().SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		r.output(c)
	}},
	{"SysProcAttr contradictory", "operation not permitted", func(r *report, p xtest.Package) {
		c := p.Helper(r, "ids")
		c.Std().SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setpgid: true}
		noCommand(r, c)
	}},
	signalled("SIGKILL", "signal: killed", syscall.SIGKILL),
	signalled("SIGTERM", "signal: terminated", syscall.SIGTERM),
	{"a handled signal", "exit status 7", func(r *report, p xtest.Package) {
		c := p.Helper(r, "trap")
		xtest.StartReady(r, c)
		r.err("Signal", c.Std().Process.Signal(syscall.SIGTERM))
		r.wait(c)
	}},
	{"Cancel sends a signal", "exit status 7", func(r *report, p xtest.Package) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		c := p.HelperContext(ctx, r, "trap")
		c.Std().Cancel = func() error { return c.Std().Process.Signal(syscall.SIGTERM) }
		xtest.StartReady(r, c)
		cancel()
		r.wait(c)
	}},
	{"Stdin closed", "success true", func(r *report, p xtest.Package) {
		f := fileWith(r, "")
		f.Close()
		c := p.Helper(r, "cat")
		c.Std().Stdin = f
		r.run(c)
	}},
	{"a Process that was released", "Wait: ", func(r *report, p xtest.Package) {
		c := p.Helper(r, "exit", "3")
		if r.start(c) {
			pid := c.Std().Process.Pid
			r.err("Release", c.Std().Process.Release())
			r.err("Wait", c.Wait())
			r.note("ProcessState", c.Std().ProcessState)
			syscall.Wait4(pid, nil, 0, nil)
		}
	}},
	{"the status taken by another", "no child processes", func(r *report, p xtest.Package) {
		c := p.Helper(r, "exit", "3")
		if r.start(c) {
			state, err := c.Std().Process.Wait()
			r.err("Process.Wait", err)
			r.note("state", state)
			r.wait(c)
		}
	}},
}

func signalled(name, shows string, sig syscall.Signal) diffCase {
	return diffCase{name, shows, func(r *report, p xtest.Package) {
		c := p.Helper(r, "serve", "0")
		in, err := c.StdinPipe()
		r.err("StdinPipe", err)
		defer in.Close()
		xtest.StartReady(r, c)
		r.err("Signal", c.Std().Process.Signal(sig))
		r.wait(c)
	}}
}

// The cases that depend on the working directory and PATH.
func TestSameLookupAsOsExec(t *testing.T) {
	for _, c := range []struct {
		diffCase
		path string // DIR in it is the directory of the case
		mode os.FileMode
	}{
		{diffCase{"found", "output: \"found\"", lookup("prog")}, "DIR/bin", 0o777},
		{diffCase{"not executable", "executable file not found", lookup("prog")}, "DIR/bin", 0o666},
		{diffCase{"a directory", "executable file not found", lookup("bin")}, "DIR", 0o777},
		{diffCase{"in no PATH", "executable file not found", lookup("prog")}, "", 0o777},
		{diffCase{"in the current directory", "ErrDot", lookup("prog")}, ".", 0o777},
		{diffCase{"in a relative directory", "ErrDot", lookup("prog")}, "bin", 0o777},
		{diffCase{"by a relative name", "output: \"found\"", lookup("bin/prog")}, "", 0o777},
		{diffCase{"by a relative name with dot", "output: \"found\"", lookup("./prog")}, "", 0o777},
	} {
		t.Run(c.name, func(t *testing.T) {
			inner := c.run
			c.run = func(r *report, p xtest.Package) {
				for _, name := range []string{"prog", "bin/prog"} {
					name = filepath.Join(r.dir, name)
					os.Mkdir(filepath.Dir(name), 0o777)
					script := []byte("#!/bin/sh\nprintf found\n")
					if err := os.WriteFile(name, script, 0o666); err != nil {
						r.Fatal(err)
					}
					if err := os.Chmod(name, c.mode); err != nil {
						r.Fatal(err)
					}
				}
				t.Setenv("PATH", strings.ReplaceAll(c.path, "DIR", r.dir))
				wd, err := os.Getwd()
				if err != nil {
					r.Fatal(err)
				}
				if err := os.Chdir(r.dir); err != nil {
					r.Fatal(err)
				}
				defer os.Chdir(wd)
				inner(r, p)
			}
			c.compare(t)
		})
	}
}

func lookup(name string) func(r *report, p xtest.Package) {
	return func(r *report, p xtest.Package) {
		path, err := p.LookPath(name)
		r.note("LookPath", path)
		r.err("LookPath", err)
		c := p.Command(name, "arg")
		r.note("String", c)
		r.note("Path", c.Std().Path)
		r.note("Args", c.Std().Args)
		r.err("Err", c.Std().Err)
		r.output(c)
	}
}
