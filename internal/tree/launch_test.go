package tree

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"syscall"
	"testing"
	"weak"
)

// uncanceled is for a Start that nobody calls off.
var uncanceled [2]<-chan struct{}

// start starts c by l.
func start(l *Launch, c *exec.Cmd, canceled ...<-chan struct{}) error {
	both := uncanceled
	copy(both[:], canceled)
	given := *c
	_, err := l.Start(func(attr *syscall.SysProcAttr) (*os.Process, error) {
		*c = given
		c.SysProcAttr = attr
		err := c.Start()
		return c.Process, err
	}, both)
	c.SysProcAttr = given.SysProcAttr
	return err
}

func self() string {
	if _, err := os.Stat("/proc/self/exe"); err == nil && runtime.GOOS != "windows" { // Wine has it, too
		return "/proc/self/exe" // which another user can execute, too
	}
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// Prepare changes a copy, and the process is what the caller asked for.
func TestPrepareLeavesSysProcAttrAlone(t *testing.T) {
	for _, whole := range []bool{false, true} {
		for _, parentExit := range []bool{false, true} {
			if !whole && !parentExit {
				continue
			}
			attr := new(syscall.SysProcAttr)
			l, err := Prepare(attr, "", whole, parentExit)
			if errors.Is(err, errors.ErrUnsupported) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(attr, new(syscall.SysProcAttr)) || (l.Tree() != nil) != whole {
				t.Errorf("%+v, tree %v", attr, l.Tree())
			}
			l.Abort()
		}
	}
}

// A missing directory is named as os.StartProcess names it.
func TestMissingDir(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{missing, filepath.Join(missing, "deeper"), file, filepath.Join(file, "deeper")} {
		for _, program := range []string{self(), missing} {
			for _, given := range []*syscall.SysProcAttr{nil, {}} {
				std := exec.Command(program)
				std.Dir, std.SysProcAttr = dir, given
				want := std.Start()
				for _, how := range []struct{ whole, parentExit bool }{{true, false}, {false, true}, {true, true}} {
					l, err := Prepare(given, dir, how.whole, how.parentExit)
					if errors.Is(err, errors.ErrUnsupported) {
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					c := exec.Command(program)
					c.Dir = dir
					err = start(l, c)
					l.Abort()
					if err == nil || err.Error() != want.Error() || reflect.TypeOf(err) != reflect.TypeOf(want) {
						t.Errorf("%+v, given %v: %v, os/exec says %v", how, given, err, want)
					}
				}
			}
		}
	}
}

// Once the process runs, the launch holds nothing of the caller's.
func TestLaunchHoldsNoSysProcAttr(t *testing.T) {
	attr := new(syscall.SysProcAttr)
	l, err := Prepare(attr, "", true, false)
	if err != nil {
		t.Skip(err)
	}
	p := weak.Make(attr)
	c := exec.Command(self(), "-test.run=^$")
	if err := start(l, c); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	l.Tree().Close()
	attr, c = nil, nil
	for range 10 {
		runtime.GC()
		if p.Value() == nil {
			break
		}
	}
	if p.Value() != nil {
		t.Error("it does")
	}
	l.Reaped()
	runtime.KeepAlive(l)
}
