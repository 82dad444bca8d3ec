package faults_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// The kernel refuses what a start needs. The filter is on the thread that
// starts, and on no other.
func TestKernelRefusesWhatAStartNeeds(t *testing.T) {
	for _, refusal := range []struct {
		name string
		testkit.Denial
	}{
		{"pipe ENFILE", testkit.Denial{Call: unix.SYS_PIPE2, Errno: unix.ENFILE}},
		{"pipe ENOMEM", testkit.Denial{Call: unix.SYS_PIPE2, Errno: unix.ENOMEM}},
		{"fork EAGAIN", testkit.Denial{Call: unix.SYS_CLONE, Errno: unix.EAGAIN, Bits: unix.CLONE_VFORK}},
		{"fork ENOMEM", testkit.Denial{Call: unix.SYS_CLONE, Errno: unix.ENOMEM, Bits: unix.CLONE_VFORK}},
		{"exec ENOMEM", testkit.Denial{Call: unix.SYS_EXECVE, Errno: unix.ENOMEM}},
		{"exec ETXTBSY", testkit.Denial{Call: unix.SYS_EXECVE, Errno: unix.ETXTBSY}},
		{"dup EMFILE", testkit.Denial{Call: unix.SYS_DUP3, Errno: unix.EMFILE}},
	} {
		t.Run(refusal.name, func(t *testing.T) {
			xtest.ExpectClean(t)
			before := testkit.Descriptors()
			for name, run := range map[string]func(c *xexec.Cmd) error{
				"Run": (*xexec.Cmd).Run,
				"Output": func(c *xexec.Cmd) error {
					c.Stdin = strings.NewReader("some")
					_, err := c.Output()
					return err
				},
				"StartContext": func(c *xexec.Cmd) error { return c.StartContext(t.Context()) },
			} {
				c := xtest.Helper(t, "exit", "0")
				var err error
				testkit.Denied(t, []testkit.Denial{refusal.Denial}, func() { err = run(c) })
				if !errors.Is(err, refusal.Errno) {
					t.Errorf("%s: %v", name, err)
				}
				if c.Process != nil || c.Pid() != 0 {
					t.Errorf("%s: there is a process", name)
				}
				if err := c.Wait(); err == nil || err.Error() != "exec: not started" {
					t.Errorf("%s: Wait: %v", name, err)
				}
				if n := testkit.Descriptors(); n > before {
					t.Errorf("%s: %d descriptors, %d before", name, n, before)
				}
			}
		})
	}
}

// No descriptor can be put into the runtime's poller, so that reads block a
// thread and have no deadlines. No output is lost for that.
func TestNoMoreEpollWatches(t *testing.T) {
	xtest.ExpectClean(t)
	full := []testkit.Denial{{Call: unix.SYS_EPOLL_CTL, Errno: unix.ENOSPC}}
	for _, when := range []string{"before", "while", "after"} {
		// The child inherits the filter, and a Go program does not get far.
		c := xexec.Command("/bin/sh", "-c", "printf %4096s x; exit 3")
		var stderr bytes.Buffer
		c.Stderr = &stderr
		var out io.ReadCloser
		testkit.Denied(t, full, func() {
			var err error
			if out, err = c.StdoutPipe(); err != nil {
				t.Errorf("StdoutPipe: %v", err)
			} else if err := c.Start(); err != nil {
				t.Errorf("Start: %v", err)
			}
		})
		got := make(chan string, 1)
		read := func() {
			b, err := io.ReadAll(out)
			if err != nil {
				t.Errorf("%s Wait: %v", when, err)
			}
			got <- string(b)
		}
		switch when {
		case "before":
			read()
		case "while":
			go read()
		}
		if err := c.Wait(); err == nil || err.Error() != "exit status 3" {
			t.Errorf("Wait: %v", err)
		}
		if when == "after" {
			read()
		}
		if s := <-got; len(s) != 4096 {
			t.Errorf("%d bytes read %s Wait", len(s), when)
		}
	}
}
