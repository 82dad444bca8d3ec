package xexec_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/xexec"
)

func init() {
	registerHelper("foreground", helperForeground)
}

// openPty returns both ends of a new pseudo-terminal.
func openPty(t testing.TB) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { master.Close() })
	n := 0
	conn, _ := master.SyscallConn()
	conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
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

// readTerminal returns what was written to the terminal until all have left it.
func readTerminal(master, tty *os.File) string {
	tty.Close()
	master.SetReadDeadline(time.Now().Add(stuck / 2))
	b, _ := io.ReadAll(master) // the end is EIO
	return string(b)
}

// The leader of a session leads a group, started here or as pty.Start does it.
func TestTreeOnATerminal(t *testing.T) {
	t.Parallel()
	deadline(t, stuck)
	for _, test := range []struct {
		name  string
		start func(*xexec.Cmd) error
	}{
		{"Start", (*xexec.Cmd).Start},
		{"os/exec's Start", func(c *xexec.Cmd) error { return c.Std().Start() }},
	} {
		tt := newTreeTest(t, xexec.ProcessGroup)
		master, tty := openPty(t)
		c := tt.sh(`sleep 1000 & [ -t 0 ] && cut -d' ' -f8 /proc/$$/stat && echo $$`)
		c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
		attr := &syscall.SysProcAttr{Setsid: true, Setctty: true}
		c.SysProcAttr = attr
		if err := test.start(c); err != nil {
			t.Fatal(err)
		}
		if kind := c.TreeKind(); kind == xexec.NoTree {
			t.Errorf("%s: TreeKind is %v", test.name, kind)
		}
		tt.soon(func() {
			if err := c.Wait(); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
		})
		tt.gone()
		out := strings.Fields(readTerminal(master, tty))
		if pid := fmt.Sprint(c.Pid()); len(out) != 2 || out[0] != pid || out[1] != pid {
			t.Errorf("%s: %q", test.name, out)
		}
		if attr.Setpgid || attr.UseCgroupFD || c.SysProcAttr != attr {
			t.Errorf("%s: SysProcAttr was modified", test.name)
		}
	}
}

// helperForeground runs a tree in the foreground of its terminal.
func helperForeground([]string) int {
	c := xexec.Command("sh", "-c", `sleep 1000 & echo $$; cut -d' ' -f8 /proc/$$/stat`)
	c.SetTree(true)
	c.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: 0}
	out, err := c.Output()
	f := strings.Fields(string(out))
	fmt.Println(len(f) == 2 && f[0] == f[1], err)
	return 0
}

func TestTreeInTheForeground(t *testing.T) {
	t.Parallel()
	deadline(t, stuck)
	master, tty := openPty(t)
	c := stdHelperCmd(t, "foreground")
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Run(); err != nil {
		t.Error(err)
	}
	if out := readTerminal(master, tty); strings.TrimSpace(out) != "true <nil>" {
		t.Errorf("%q", out)
	}
}

// Somebody else has reaped the leader: the rest is found by what is not a number.
func TestStolenLeaderOfTree(t *testing.T) {
	eachTreeKind(t, func(t *treeTest) {
		if !groupByPidfd() && t.kind == xexec.ProcessGroup {
			t.Skip("before Linux 6.9, the rest cannot be signalled without risk")
		}
		c := t.sh("sleep 1000 & echo ready")
		t.start(c)
		if pid, err := syscall.Wait4(c.Pid(), nil, 0, nil); pid != c.Pid() {
			t.Fatal(err)
		}
		eventually(t, "the rest is alive", func() bool { return len(marked(t.mark)) == 1 }) // it may be in its exec
		if err := c.Wait(); !errors.Is(err, syscall.ECHILD) {
			t.Errorf("Wait: %v", err)
		}
		t.gone()
	})
}

// A cgroup outlasts its leader: also after os/exec has reaped that, what is left
// in it has ended when Wait returns, and it is removed.
func TestLeaderReapedByOsExec(t *testing.T) {
	t.Parallel()
	needCgroup(t)
	deadline(t, stuck)
	tt := newTreeTest(t, xexec.Cgroup)
	c := tt.sh("for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo ready; read line; exit 3")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	tt.start(c)
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.Pid()))
	if err != nil {
		t.Error(err)
	}
	stdin.Close()
	c.Std().Wait()
	eventually(t, "the rest is alive", func() bool { return len(marked(tt.mark)) == 8 })
	var exit *xexec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("Wait: %v", err)
	}
	tt.gone()
	// The last line is that of version 2.
	dir := filepath.Join(cgroupDir(), filepath.Base(strings.TrimSpace(string(b))))
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", dir, err)
		syscall.Rmdir(dir)
	}
}

// And it can be asked to end.
func TestTerminateWhenOsExecHasReapedTheLeader(t *testing.T) {
	t.Parallel()
	needCgroup(t)
	deadline(t, stuck)
	tt := newTreeTest(t, xexec.Cgroup)
	c := tt.sh(inShell(polite) + " & setsid " + inShell(polite) + " & exec sleep 1000")
	w := tt.start(c)
	eventually(t, "both are ready", func() bool { return strings.Count(w.String(), "ready") == 2 })
	c.Process.Kill()
	c.Std().Wait()
	if err := c.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("signal 0: %v", err)
	}
	if err := c.Terminate(); err != nil {
		t.Errorf("Terminate: %v", err)
	}
	if err := c.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("Wait: %v", err)
	}
	tt.gone()
	if got := w.String(); got != "ready\nready\nclean\nclean\n" {
		t.Errorf("output %q", got)
	}
}

// groupByPidfd reports whether a process group can be signalled through the
// pidfd of its leader: there are pidfds, and the flag is no EINVAL.
func groupByPidfd() bool {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	err = unix.PidfdSendSignal(fd, 0, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)
	return err != unix.EINVAL && err != unix.ENOSYS
}
