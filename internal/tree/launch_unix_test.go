//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package tree

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestContradictions(t *testing.T) {
	for _, test := range []struct {
		name string
		attr *syscall.SysProcAttr
		ok   bool
	}{
		{"nil", nil, true},
		{"nothing", &syscall.SysProcAttr{}, true},
		{"a group of its own", &syscall.SysProcAttr{Setpgid: true}, true},
		{"a session", &syscall.SysProcAttr{Setsid: true}, true},
		{"a session with a terminal", &syscall.SysProcAttr{Setsid: true, Setctty: true}, true},
		{"Pgid without Setpgid means nothing", &syscall.SysProcAttr{Pgid: 1}, true},
		{"another's group", &syscall.SysProcAttr{Setpgid: true, Pgid: os.Getpid()}, false},
		{"another's group in the foreground", &syscall.SysProcAttr{Foreground: true, Pgid: os.Getpid()}, false},
	} {
		l, err := Prepare(test.attr, "", true, false)
		if test.ok {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			if !LeadsGroup(l.attr) {
				t.Errorf("%s: it leads no group", test.name)
			}
			l.Abort()
			continue
		}
		const want = "xexec: SetTree contradicts SysProcAttr.Pgid: the leader of a tree leads a process group of its own and cannot join another"
		if l != nil || err == nil || err.Error() != want {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// Only what os/exec's Start made the leader of a group is adopted.
func TestAdopt(t *testing.T) {
	p := &os.Process{Pid: 1 << 30}
	for _, attr := range []*syscall.SysProcAttr{nil, {}, {Setpgid: true, Pgid: 5}, {Foreground: true, Pgid: 5}} {
		if Adopt(p, attr) != nil {
			t.Errorf("%+v: adopted", attr)
		}
	}
	for _, attr := range []*syscall.SysProcAttr{{Setpgid: true}, {Setsid: true}, {Foreground: true}} {
		if tree := Adopt(p, attr); tree == nil || tree.Kind() != ProcessGroup {
			t.Errorf("%+v: %v", attr, tree)
		}
	}
}

// forkError is an error of os.StartProcess.
func forkError(errno syscall.Errno) error {
	return &fs.PathError{Op: "fork/exec", Path: "program", Err: errno}
}

// A start that fails is tried again only if that can be of use.
func TestForkIsCalledOnce(t *testing.T) {
	for _, want := range []error{forkError(syscall.ETXTBSY), errors.New("no command"), &fs.PathError{Op: "open", Err: syscall.EPERM}} {
		l, err := Prepare(nil, "", true, false)
		if err != nil {
			t.Fatal(err)
		}
		kind := l.tree.Kind()
		calls := 0
		_, err = l.Start(func(*syscall.SysProcAttr) (*os.Process, error) { calls++; return nil, want }, uncanceled)
		if calls != 1 || err != want || l.tree.Kind() != kind {
			t.Errorf("%v: called %d times, %v, now a %v", want, calls, err, l.tree.Kind())
		}
		l.Abort()
	}
}
