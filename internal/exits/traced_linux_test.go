package exits

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/xexec/internal/testkit"
)

func init() {
	testkit.Register("trace", helperTrace)
}

// The pidfd of a child that somebody traces tells of the exit before the child
// can be reaped. A wait goes on until then, and can still be called off.
func TestTracedByAnother(t *testing.T) {
	needWatch(t)
	testkit.Deadline(t, testkit.Stuck)
	c := startChild(t)
	p := Of(c.Process)
	cmd := testkit.Command(t, "trace", strconv.Itoa(p.Pid()))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	tracer := start(t, cmd)
	var reply string
	if fmt.Fscan(out, &reply); reply != "ready" {
		t.Skip("no ptrace: ", reply)
	}

	var waits sync.WaitGroup
	cancel := make(chan struct{})
	waits.Go(func() {
		exited, err := p.Wait(cancel)
		expect(t, "Wait that is called off", exited, err, false)
	})
	waits.Go(func() {
		exited, err := p.Wait(never)
		expect(t, "Wait", exited, err, true)
	})
	awaitPolled(t, 2, 1)
	c.kill(t)
	awaitPolled(t, 0, -1)
	exited, err := p.Exited()
	expect(t, "Exited of a process whose tracer has not let it go", exited, err, false)
	close(cancel)
	tracer.stdin.Close()
	waits.Wait()
	c.expectStatus(t)
}

// helperTrace traces a process until its input ends, and looks at nothing.
func helperTrace(args []string) int {
	runtime.LockOSThread()
	pid, err := strconv.Atoi(args[0])
	check(err)
	if err := unix.PtraceSeize(pid); err != nil {
		fmt.Println(err)
		return 0
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// A child that stops for us, its tracer, has not exited. os.Process.Wait returns
// for it, so a wait that blocks does.
func TestTracedByUs(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		t.Skip("no ptrace: ", err)
	}
	p := Of(cmd.Process)
	defer func() {
		syscall.Kill(p.Pid(), syscall.SIGKILL)
		for err := error(unix.EINTR); err == unix.EINTR; {
			_, err = syscall.Wait4(p.Pid(), nil, 0, nil)
		}
	}()
	testkit.AwaitState(t, p.Pid(), "t")
	exited, err := p.Exited()
	expect(t, "Exited of a child that has stopped", exited, err, false)
	exited, err = p.Wait(nil)
	expect(t, "Wait", exited, err, true)
	state, err := cmd.Process.Wait()
	if err != nil || !state.Sys().(syscall.WaitStatus).Stopped() {
		t.Errorf("os.Process.Wait: %v, %v", state, err)
	}
}
