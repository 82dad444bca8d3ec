//go:build linux && (386 || amd64 || arm64)

package xexec_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/xexec"
)

// The kernel refuses what a start needs. The filter is on the thread that
// starts, and on no other.
func TestKernelRefusesWhatAStartNeeds(t *testing.T) {
	for _, refusal := range []struct {
		name string
		denial
	}{
		{"pipe ENFILE", denial{call: unix.SYS_PIPE2, errno: unix.ENFILE}},
		{"pipe ENOMEM", denial{call: unix.SYS_PIPE2, errno: unix.ENOMEM}},
		{"fork EAGAIN", denial{call: unix.SYS_CLONE, errno: unix.EAGAIN, bits: unix.CLONE_VFORK}},
		{"fork ENOMEM", denial{call: unix.SYS_CLONE, errno: unix.ENOMEM, bits: unix.CLONE_VFORK}},
		{"exec ENOMEM", denial{call: unix.SYS_EXECVE, errno: unix.ENOMEM}},
		{"exec ETXTBSY", denial{call: unix.SYS_EXECVE, errno: unix.ETXTBSY}},
		{"dup EMFILE", denial{call: unix.SYS_DUP3, errno: unix.EMFILE}},
	} {
		t.Run(refusal.name, func(t *testing.T) {
			expectClean(t)
			before := descriptors()
			for name, run := range map[string]func(c *xexec.Cmd) error{
				"Run": (*xexec.Cmd).Run,
				"Output": func(c *xexec.Cmd) error {
					c.Stdin = strings.NewReader("some")
					_, err := c.Output()
					return err
				},
				"StartContext": func(c *xexec.Cmd) error { return c.StartContext(t.Context()) },
			} {
				c := helperCmd(t, "exit", "0")
				var err error
				denied(t, []denial{refusal.denial}, func() { err = run(c) })
				if !errors.Is(err, refusal.errno) {
					t.Errorf("%s: %v", name, err)
				}
				if c.Process != nil || c.Pid() != 0 {
					t.Errorf("%s: there is a process", name)
				}
				if err := c.Wait(); err == nil || err.Error() != "exec: not started" {
					t.Errorf("%s: Wait: %v", name, err)
				}
				if n := descriptors(); n > before {
					t.Errorf("%s: %d descriptors, %d before", name, n, before)
				}
			}
		})
	}
}

// No descriptor can be put into the runtime's poller, so that reads block a
// thread and have no deadlines. No output is lost for that.
func TestNoMoreEpollWatches(t *testing.T) {
	expectClean(t)
	full := []denial{{call: unix.SYS_EPOLL_CTL, errno: unix.ENOSPC}}
	for _, when := range []string{"before", "while", "after"} {
		// The child inherits the filter, and a Go program does not get far.
		c := xexec.Command("/bin/sh", "-c", "printf %4096s x; exit 3")
		var stderr bytes.Buffer
		c.Stderr = &stderr
		var out io.ReadCloser
		denied(t, full, func() {
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
