package testkit

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	share("tracer", helperTracer)
}

// Trace lets another process trace a process until detach is called. It looks at
// nothing, or, with atExit, the process stops when it is about to exit, and exiting
// returns.
func Trace(t testing.TB, pid int, atExit bool) (exiting, detach func()) {
	t.Helper()
	c := Command(t, "tracer", fmt.Sprint(pid), fmt.Sprint(atExit))
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	detach = func() {
		in.Close()
		c.Wait()
	}
	t.Cleanup(detach)
	lines := bufio.NewScanner(out)
	if lines.Scan(); lines.Text() != "ready" {
		Lack(t, "cannot trace: ", lines.Text())
	}
	return func() {
		if lines.Scan(); lines.Text() != "exiting" {
			t.Fatalf("the tracer: %s", lines.Text())
		}
	}, detach
}

func helperTracer(args []string) int {
	runtime.LockOSThread()
	pid := Atoi(args[0])
	options := uintptr(0)
	if args[1] == "true" {
		options = unix.PTRACE_O_TRACEEXIT
	}
	if _, _, err := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, options, 0, 0); err != 0 {
		return Complain(err)
	}
	fmt.Println("ready")
	if options != 0 {
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil || status.TrapCause() != unix.PTRACE_EVENT_EXIT {
			return Complain(err, status)
		}
		fmt.Println("exiting")
	}
	io.Copy(io.Discard, os.Stdin)
	return 0
}
