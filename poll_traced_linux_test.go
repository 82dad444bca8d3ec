package xexec_test

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	registerHelper("trace", helperTrace)
}

// helperTrace traces a process until its input ends, and looks at nothing.
func helperTrace(args []string) int {
	runtime.LockOSThread()
	if err := unix.PtraceSeize(atoi(args[0])); err != nil {
		fmt.Println("skip: ptrace:", err)
		return 0
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// The pidfd of a child that somebody traces tells of the exit before the child
// can be reaped. A wait goes on until then, and can still be called off.
func TestPolledChildIsTraced(t *testing.T) {
	needPoller(t)
	deadline(t, stuck)
	c := startSleep(t)
	tracer := helperCmd(t, "trace", strconv.Itoa(c.Pid()))
	in, err := tracer.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	w := newReadyWriter()
	tracer.Stdout = w
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	defer tracer.Wait()
	defer in.Close()
	<-w.ready
	if w.String() != "ready\n" {
		t.Skip(w.String())
	}

	result := make(chan error)
	ctx := t.Context()
	go func() { result <- c.WaitContext(ctx) }()
	eventually(t, "it is polled", func() bool { return polledWaits() == 1 })
	if err := unix.Kill(c.Pid(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the exit is seen", func() bool { return polledWaits() == 0 })
	if done, err := c.TryWait(); done {
		t.Errorf("TryWait of a child that its tracer has not let go: %v", err)
	}
	if err := c.WaitContext(ended); err != errCause {
		t.Errorf("WaitContext: %v", err)
	}
	in.Close()
	if err := <-result; !killed(err) {
		t.Errorf("WaitContext: %v", err)
	}
}
