//go:build unix

package faults_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// A reader gives some, then fails; a writer takes some, then fails.
func TestReaderAndWriterThatFailMidway(t *testing.T) {
	xtest.ExpectClean(t)
	for _, size := range []int{0, 1, 4096, 65536, 1 << 20} {
		c := xtest.Helper(t, "cat")
		c.Stdin = io.MultiReader(bytes.NewReader(make([]byte, size)), iotest.ErrReader(testkit.ErrBroken))
		out, err := c.Output()
		if err != testkit.ErrBroken || len(out) != size {
			t.Errorf("a reader that fails after %d bytes: %v, and %d arrive", size, err, len(out))
		}
	}
	for _, room := range []int{0, 1, 4096, 100_000} {
		for _, code := range []string{"x:0", "x:4"} {
			c := xtest.Helper(t, "say", "o:"+testkit.Bulk, code)
			w := &testkit.FailingWriter{Room: room}
			c.Stdout = w
			err := c.Run()
			// It dies of SIGPIPE unless all was in the pipe by then.
			var exit *exec.ExitError
			fits := room >= len(testkit.Bulk)
			switch {
			case fits && code == "x:0" && err == nil:
			case fits && code == "x:4" && errors.As(err, &exit) && exit.ExitCode() == 4:
			case !fits && (err == testkit.ErrBroken || errors.As(err, &exit)) && len(w.Got) == room:
			default:
				t.Errorf("a writer with room for %d: %v, %d written", room, err, len(w.Got))
			}
		}
	}
}

func TestFullDiskBehindStdout(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		testkit.Lack(t, err)
	}
	t.Cleanup(func() { full.Close() })
	xtest.ExpectClean(t)

	// The child has it, and tells.
	c := xtest.Helper(t, "cat")
	c.Stdin, c.Stdout = strings.NewReader("some"), full
	var stderr bytes.Buffer
	c.Stderr = &stderr
	err = c.Run()
	if err == nil || err.Error() != "exit status 1" || !strings.Contains(stderr.String(), "no space left") {
		t.Errorf("Run: %v; the child says %q", err, stderr.String())
	}
	// We have it.
	for _, args := range [][]string{{"o:some"}, {"o:" + testkit.Bulk, "e:more"}, {"o:some", "x:3"}} {
		c = xtest.Helper(t, "say", args...)
		c.Stdout = struct{ io.Writer }{full}
		err = c.Run()
		var exit *exec.ExitError
		if !errors.Is(err, syscall.ENOSPC) && !errors.As(err, &exit) {
			t.Errorf("Run: %v", err)
		}
		if len(args) == 1 && !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Run: %v", err)
		}
	}
}

func TestNobodyReadsTheOtherEnd(t *testing.T) {
	xtest.ExpectClean(t)
	// Of Stdin: that is no error.
	c := xtest.Helper(t, "readsome", "5")
	c.Stdin = strings.NewReader(testkit.Bulk)
	if out, err := c.Output(); err != nil || string(out) != testkit.Bulk[:5] {
		t.Errorf("a command that reads little: %q, %v", out, err)
	}
	// Of the pipe behind a Stdout that is a writer of ours.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	c = xtest.Helper(t, "say", "o:some")
	c.Stdout = struct{ io.Writer }{w}
	if err := c.Run(); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a writer with a broken pipe: %v", err)
	}
	// Of the pipe that is the child's Stdout.
	c = xtest.Helper(t, "say", "o:some")
	c.Stdout = w
	if err := c.Run(); err == nil || err.Error() != "signal: broken pipe" {
		t.Errorf("a broken pipe as Stdout: %v", err)
	}
}

// Somebody else's wait takes the exit status, before ours or while it waits.
func TestStolenStatusIsAnErrorAndNoHang(t *testing.T) {
	xtest.ExpectClean(t)
	steal := map[string]func(c *xexec.Cmd) error{
		"wait4": func(c *xexec.Cmd) error {
			for {
				var status syscall.WaitStatus
				if _, err := syscall.Wait4(c.Process.Pid, &status, 0, nil); err != syscall.EINTR {
					return err
				}
			}
		},
		"Process.Wait": func(c *xexec.Cmd) error {
			_, err := c.Process.Wait()
			return err
		},
	}
	for name, steal := range steal {
		for _, waiters := range []int{0, 1, 3} {
			c := xtest.Helper(t, "serve", "0")
			in, err := c.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			xtest.StartReady(t, xtest.X.From(c.Std()))
			errs := make(chan error)
			for range waiters {
				go func() { errs <- c.Wait() }()
			}
			in.Close()
			stolen := steal(c) == nil
			first := c.Wait()
			for range waiters {
				if err := <-errs; err != first {
					t.Errorf("%s: one Wait: %v, another: %v", name, first, err)
				}
			}
			if stolen && !errors.Is(first, syscall.ECHILD) || !stolen && first != nil {
				t.Errorf("%s, taken %v: Wait: %v", name, stolen, first)
			}
			if waiters == 0 && !stolen {
				t.Errorf("%s has not taken it", name)
			}
			if done, err := c.TryWait(); !done || err != first {
				t.Errorf("%s: TryWait: %v, %v", name, done, err)
			}
			if err := c.Kill(); err != os.ErrProcessDone {
				t.Errorf("%s: Kill: %v", name, err)
			}
		}
	}
}
