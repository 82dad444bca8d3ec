package tree

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// openPty returns both ends of a new pseudo-terminal.
func openPty(t testing.TB) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { master.Close() })
	var n uint32
	conn, _ := master.SyscallConn()
	conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetUint32(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil {
		t.Skip(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { tty.Close() })
	return master, tty
}

// onTerminal runs the calling test as a program in the foreground of a terminal with
// job control, as a shell would, and types input.
func onTerminal(t *testing.T, input string, f func(t *testing.T)) {
	t.Helper()
	const inside = "TREE_TEST_TERMINAL"
	if os.Getenv(inside) == t.Name() {
		f(t)
		return
	}
	master, tty := openPty(t)
	c := exec.Command(self(), "-test.v", "-test.run=^"+t.Name()+"$")
	c.Env = append(os.Environ(), inside+"="+t.Name(), "GORACE=atexit_sleep_ms=0")
	c.Dir = "/"
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Skip(err)
	}
	tty.Close()
	io.WriteString(master, input)
	done := make(chan struct{})
	go func() { // a stopped process says nothing
		defer close(done)
		var status syscall.WaitStatus
		for {
			pid, err := syscall.Wait4(c.Process.Pid, &status, syscall.WUNTRACED, nil)
			switch {
			case err == syscall.EINTR:
			case pid != c.Process.Pid:
				t.Error(err)
				return
			case status.Stopped():
				t.Errorf("it was stopped by %v", status.StopSignal())
				syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
				c.Process.Kill()
			default:
				return
			}
		}
	}()
	master.SetReadDeadline(time.Now().Add(20 * time.Second))
	out, _ := io.ReadAll(master) // the end is EIO
	c.Process.Kill()
	<-done
	if !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%s", out)
	} else if testing.Verbose() {
		t.Logf("%s", out)
	}
}

func foreground(t *testing.T) int {
	t.Helper()
	pgid, err := (&terminal{fd: 0}).foreground()
	if err != nil {
		t.Fatal(err)
	}
	return pgid
}

// launchForeground starts a script as a tree in the foreground. Its output is the
// terminal unless there is a pipe.
func launchForeground(t *testing.T, script string) *run {
	c := sh(script)
	c.Stdin, c.Stderr = os.Stdin, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: 0}
	return launch(t, c, false)
}

// A parent runs commands that read the terminal one after the other, and reads it
// itself in between.
func TestTerminalIsGivenBack(t *testing.T) {
	onTerminal(t, "one\ntwo\nthree\nfour\n", func(t *testing.T) {
		own := syscall.Getpgrp()
		stdin := bufio.NewReaderSize(oneByOne{os.Stdin}, 16)
		for _, want := range []string{"one", "three"} {
			r := launchForeground(t, `read x; echo "$x"; exec sleep 60`)
			if fg := foreground(t); fg != r.pid {
				t.Errorf("%d is in the foreground, not %d", fg, r.pid)
			}
			if got := r.line(t); got != want {
				t.Errorf("it has read %q, not %q", got, want)
			}
			r.Kill() // however it ends
			r.awaitExit(t)
			r.cmd.Wait()
			r.Close()
			if fg := foreground(t); fg != own {
				t.Errorf("%d is in the foreground, not %d", fg, own)
			}
			s, err := stdin.ReadString('\n')
			if next := map[string]string{"one": "two\n", "three": "four\n"}[want]; s != next || err != nil {
				t.Errorf("we have read %q, %v, not %q", s, err, next)
			}
		}
	})
}

// oneByOne reads no more than is asked for, so that the others get the rest.
type oneByOne struct{ io.Reader }

func (r oneByOne) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(1, len(b))]) }

// It is given back by a caller who has closed his descriptor, when the Cmd has gone,
// and when the process could not be started.
func TestTerminalIsGivenBackInAnyCase(t *testing.T) {
	onTerminal(t, "", func(t *testing.T) {
		own := syscall.Getpgrp()
		check := func(what string) {
			t.Helper()
			if fg := foreground(t); fg != own {
				t.Errorf("%s: %d is in the foreground, not %d", what, fg, own)
			}
		}
		ctty, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		c := sh("exit 0")
		c.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: ctty}
		r := launch(t, c, false)
		unix.Close(ctty)
		r.awaitExit(t)
		r.cmd.Wait()
		r.Close()
		check("the descriptor is closed")

		r = launchForeground(t, "exit 0")
		r.awaitExit(t)
		r.cmd.Wait()
		r.Abandon()
		check("abandoned")

		r = launchForeground(t, "exec sleep 60")
		r.Abandon()
		if fg := foreground(t); fg != r.pid {
			t.Errorf("abandoned alive: %d is in the foreground, not %d", fg, r.pid)
		}
		syscall.Kill(r.pid, syscall.SIGKILL)
		r.cmd.Wait()
		withoutStop(func() { unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, own) })

		r = launchForeground(t, "sleep 60 & exit 0") // the rest has it
		r.awaitExit(t)
		r.Abandon()
		if fg := foreground(t); fg != r.pid {
			t.Errorf("abandoned half alive: %d is in the foreground, not %d", fg, r.pid)
		}
		syscall.Kill(-r.pid, syscall.SIGKILL)
		r.cmd.Wait()
		withoutStop(func() { unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, own) })

		l, err := Prepare(&syscall.SysProcAttr{Foreground: true, Ctty: 0}, "", true, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := start(l, exec.Command("/dev/null")); err == nil {
			t.Fatal("it was started")
		}
		l.Abort()
		check("not started")

		// The group that had it before has gone.
		before := exec.Command("sleep", "60")
		before.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: 0}
		if err := before.Start(); err != nil {
			t.Fatal(err)
		}
		r = launchForeground(t, "exec sleep 60")
		before.Process.Kill()
		before.Wait()
		r.Kill()
		r.cmd.Wait()
		r.Close()
		check("the one before has gone")
	})
}

// Who has taken it from the tree keeps it.
func TestTerminalOfAnother(t *testing.T) {
	onTerminal(t, "", func(t *testing.T) {
		r := launchForeground(t, "exec sleep 60")
		other := exec.Command("sleep", "60")
		other.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: 0}
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		r.Kill()
		r.cmd.Wait()
		r.Close()
		if fg := foreground(t); fg != other.Process.Pid {
			t.Errorf("%d is in the foreground, not %d", fg, other.Process.Pid)
		}
		other.Process.Kill()
		other.Wait()
		withoutStop(func() { unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, syscall.Getpgrp()) })
	})
}

// The signal mask of the thread is as before, and SIGTTOU blocked meanwhile.
func TestWithoutStop(t *testing.T) {
	blocked := func() (set unix.Sigset_t) {
		unix.PthreadSigmask(unix.SIG_BLOCK, nil, &set)
		return set
	}
	before := blocked()
	const n, bits = int(unix.SIGTTOU) - 1, 8 * int(unsafe.Sizeof(before.Val[0]))
	withoutStop(func() {
		if during := blocked(); during.Val[n/bits]&(1<<(n%bits)) == 0 {
			t.Error("it is not blocked")
		}
	})
	if after := blocked(); after != before {
		t.Errorf("%x, then %x", before, after)
	}
}
