//go:build unix

package xexec_test

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
)

func init() {
	registerHelper("descriptors", helperDescriptors)
	registerHelper("ids", helperIDs)
	registerHelper("trap", helperTrap)
}

// helperDescriptors prints what it reads from descriptors. There is no telling
// which others are open: the runtime has some.
func helperDescriptors(args []string) int {
	for _, arg := range args {
		fd := atoi(arg)
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
	{"ExtraFiles", "3: \\\"third\\\"", func(r *report, p execPackage) {
		c := p.helper(r, "descriptors", "3", "5")
		c.std().ExtraFiles = []*os.File{fileWith(r, "third"), nil, fileWith(r, "fifth")}
		r.output(c)
	}},
	{"ExtraFiles closed", "success true", func(r *report, p execPackage) {
		f := fileWith(r, "")
		f.Close()
		c := p.helper(r, "exit", "0")
		c.std().ExtraFiles = []*os.File{f}
		r.run(c)
	}},
	{"SysProcAttr Setpgid", "group leader true", func(r *report, p execPackage) {
		c := p.helper(r, "ids")
		c.std().SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		r.output(c)
		r.note("SysProcAttr", fmt.Sprintf("%+v", *c.std().SysProcAttr))
	}},
	{"SysProcAttr Setsid", "group leader true", func(r *report, p execPackage) {
		c := p.helper(r, "ids")
		c.std().SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		r.output(c)
	}},
	{"SysProcAttr contradictory", "operation not permitted", func(r *report, p execPackage) {
		c := p.helper(r, "ids")
		c.std().SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setpgid: true}
		noCommand(r, c)
	}},
	signalled("SIGKILL", "signal: killed", syscall.SIGKILL),
	signalled("SIGTERM", "signal: terminated", syscall.SIGTERM),
	{"a handled signal", "exit status 7", func(r *report, p execPackage) {
		c := p.helper(r, "trap")
		startReady(r, c)
		r.err("Signal", c.std().Process.Signal(syscall.SIGTERM))
		r.wait(c)
	}},
	{"Cancel sends a signal", "exit status 7", func(r *report, p execPackage) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		c := p.helperContext(ctx, r, "trap")
		c.std().Cancel = func() error { return c.std().Process.Signal(syscall.SIGTERM) }
		startReady(r, c)
		cancel()
		r.wait(c)
	}},
	{"Stdin closed", "success true", func(r *report, p execPackage) {
		f := fileWith(r, "")
		f.Close()
		c := p.helper(r, "cat")
		c.std().Stdin = f
		r.run(c)
	}},
	{"a Process that was released", "Wait: ", func(r *report, p execPackage) {
		c := p.helper(r, "exit", "3")
		if r.start(c) {
			pid := c.std().Process.Pid
			r.err("Release", c.std().Process.Release())
			r.err("Wait", c.Wait())
			r.note("ProcessState", c.std().ProcessState)
			syscall.Wait4(pid, nil, 0, nil)
		}
	}},
	{"the status taken by another", "no child processes", func(r *report, p execPackage) {
		c := p.helper(r, "exit", "3")
		if r.start(c) {
			state, err := c.std().Process.Wait()
			r.err("Process.Wait", err)
			r.note("state", state)
			r.wait(c)
		}
	}},
}

func signalled(name, shows string, sig syscall.Signal) diffCase {
	return diffCase{name, shows, func(r *report, p execPackage) {
		c := p.helper(r, "serve", "0")
		in, err := c.StdinPipe()
		r.err("StdinPipe", err)
		defer in.Close()
		startReady(r, c)
		r.err("Signal", c.std().Process.Signal(sig))
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
			c.run = func(r *report, p execPackage) {
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

func lookup(name string) func(r *report, p execPackage) {
	return func(r *report, p execPackage) {
		path, err := p.lookPath(name)
		r.note("LookPath", path)
		r.err("LookPath", err)
		c := p.command(name, "arg")
		r.note("String", c)
		r.note("Path", c.std().Path)
		r.note("Args", c.std().Args)
		r.err("Err", c.std().Err)
		r.output(c)
	}
}
