package xexec_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"example.com/xexec"
)

func init() {
	registerHelper("late", helperLate)
}

// helperLate waits for a line from the address, then is another helper command.
func helperLate(args []string) int {
	conn, err := net.Dial("tcp", args[0])
	if err != nil {
		return 1
	}
	bufio.NewReader(conn).ReadString('\n')
	return helpers[args[1]](args[2:])
}

// Programs keep a Cmd in a struct and assign over it when they restart the
// command. It is a new one then, whatever became of the old one.

func TestAssignedOverAfterFailedStart(t *testing.T) {
	deadline(t, stuck)
	start := map[string]func(c *xexec.Cmd) error{
		"here":       (*xexec.Cmd).Start,
		"by os/exec": func(c *xexec.Cmd) error { return c.Std().Start() },
	}
	for name, f := range start {
		t.Run(name, func(t *testing.T) {
			c := xexec.Command("./no such file")
			c.Done()
			if err := c.Start(); err == nil {
				t.Fatal("Start succeeded")
			}
			if err := c.Start(); err == nil || err.Error() != "exec: already started" {
				t.Errorf("another Start: %v", err)
			}
			*c = *helperCmd(t, "write", "10")
			r, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := f(c); err != nil {
				t.Fatal(err)
			}
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
			if b, err := io.ReadAll(r); len(b) != 10 || err != nil {
				t.Errorf("read %d bytes, %v", len(b), err)
			}
			<-c.Done()
		})
	}
}

func TestAssignedOverAfterDone(t *testing.T) {
	deadline(t, stuck)
	c := helperCmd(t, "exit", "0")
	c.Done()
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	*c = *helperCmd(t, "exit", "3")
	if err := c.Std().Start(); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := c.Wait(); err == nil || err.Error() != "exit status 3" {
		t.Errorf("Wait: %v", err)
	}
}

// The context is that of the struct.
func TestAssignedOverWithAnotherContext(t *testing.T) {
	deadline(t, stuck)
	old, cancelOld := context.WithCancel(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	c := helperCmdContext(old, t, "exit", "0")
	*c = *helperCmdContext(ctx, t, "serve", "0")
	startServingCmd(t, c)
	cancelOld()
	cancel()
	if err := c.Wait(); err == nil {
		t.Error("the new context did not end the command")
	}

	// And if it has none, none ends it.
	old, cancelOld = context.WithCancel(t.Context())
	c = helperCmdContext(old, t, "exit", "0")
	*c = *helperCmd(t, "serve", "0")
	c.WaitDelay = time.Millisecond
	stop := startServingCmd(t, c)
	cancelOld()
	if err := c.WaitContext(after50ms(t)); err != context.DeadlineExceeded {
		t.Errorf("WaitContext: %v", err)
	}
	stop()
	// Its WaitDelay holds for its output as ever.
	if err := c.Wait(); err != nil && err != xexec.ErrWaitDelay {
		t.Errorf("the old context ended the new command: %v", err)
	}
}

func after50ms(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// A context that leads back to the command does not keep it.
func TestContextThatLeadsToTheCommand(t *testing.T) {
	deadline(t, stuck)
	if !collected(func() bool { return xexec.States() == 0 }) {
		t.Fatalf("%d states are left from before", xexec.States())
	}
	type key struct{}
	type job struct {
		context.Context
		cmd *xexec.Cmd
	}
	for range 100 {
		j := &job{}
		j.Context = context.WithValue(t.Context(), key{}, j)
		j.cmd = xexec.CommandContext(j, "whatever")
	}
	if !collected(func() bool { return xexec.States() == 0 }) {
		t.Errorf("%d states for 100 commands that were dropped", xexec.States())
	}
}

// A program hands its command to code that starts it and waits for it through
// os/exec, whose Wait the command's Cancel must not get in the way of.
func TestDefaultCancelBesideOsExecsWait(t *testing.T) {
	deadline(t, stuck)
	for i := range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%40)*100*time.Microsecond)
		c := helperCmdContext(ctx, t, "exit", "0")
		if err := c.Std().Start(); err == nil {
			c.Std().Wait()
		}
		cancel()
	}
}

// What os/exec's Wait has found out, Wait returns.
func TestWaitAfterOsExecsWait(t *testing.T) {
	deadline(t, stuck)
	for name, start := range map[string]func(*xexec.Cmd) error{
		"started here":       (*xexec.Cmd).Start,
		"started by os/exec": func(c *xexec.Cmd) error { return c.Std().Start() },
	} {
		for _, code := range []string{"0", "3"} {
			c := helperCmd(t, "exit", code)
			var out bytes.Buffer
			c.Stdout = &out
			if err := start(c); err != nil {
				t.Fatal(err)
			}
			c.Pid()
			want := "<nil>"
			if err := c.Std().Wait(); err != nil {
				want = err.Error()
			}
			got := "<nil>"
			if err := c.Wait(); err != nil {
				got = err.Error()
			}
			if got != want || c.ProcessState == nil || c.ProcessState.ExitCode() != atoi(code) {
				t.Errorf("%s: Wait %s, os/exec's %s, ProcessState %v", name, got, want, c.ProcessState)
			}
		}
	}
}

// StartContext uses the Cancel that is set, also that of a copy.
func TestStartContextOfCopyUsesItsCancel(t *testing.T) {
	deadline(t, stuck)
	c := *helperCmdContext(t.Context(), t, "serve", "0")
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	called := false
	c.Cancel = func() error {
		called = true
		return c.Process.Kill()
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := c.StartContext(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := c.Wait(); !called || !errors.Is(err, context.Canceled) {
		t.Errorf("Cancel called: %v, Wait: %v", called, err)
	}
}

// A copy of a command whose context has ended is not started, pipes or not.
func TestCopyWithPipeAndEndedContext(t *testing.T) {
	deadline(t, stuck)
	c := *helperCmdContext(ended, t, "exit", "0")
	c.Cancel = nil
	if _, err := c.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != context.Canceled {
		t.Errorf("Start: %v", err)
	}
}

// TryWait does not block on what os/exec copies, whatever the fields say later.
func TestTryWaitOfAdoptedCommandDoesNotBlock(t *testing.T) {
	deadline(t, stuck)
	c := helperCmd(t, "hold", holderAddr(t), "exit", "0")
	c.Stdout = new(bytes.Buffer)
	if err := c.Std().Start(); err != nil {
		t.Fatal(err)
	}
	c.Stdout = nil
	for c.Kill() == nil {
		time.Sleep(time.Millisecond)
	}
	if done, err := c.TryWait(); done {
		t.Errorf("TryWait: %v while the output is held", err)
	}
}

// Output is not lost to a descriptor in blocking mode, where a reader cannot be
// made to stop: it takes the rest itself.
func TestBlockingPipeLosesNothing(t *testing.T) {
	deadline(t, stuck)
	const size = 3000
	for range 40 {
		c := helperCmd(t, "write", "3000")
		r, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		r.(interface{ Fd() uintptr }).Fd()
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		got := make(chan int)
		go func() {
			n, err := io.Copy(io.Discard, struct{ io.Reader }{oneByte{r}})
			if err != nil {
				t.Error(err)
			}
			got <- int(n)
		}()
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		if n := <-got; n != size {
			t.Errorf("read %d bytes, want %d", n, size)
		}
	}
}

// A loan that fails leaves the first one, which is in force, alone.
func TestSecondLoanOfAPipe(t *testing.T) {
	deadline(t, stuck)
	c := helperCmd(t, "say", "o:data")
	r, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	reader := helperCmd(t, "late", l.Addr().String(), "cat")
	reader.Stdin = r
	extra, err := reader.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := reader.Start(); err != nil {
		t.Fatal(err)
	}
	other := xexec.Command("./no such file")
	other.Stdin = r
	if err := other.Start(); err == nil {
		t.Error("Start succeeded")
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn.Write([]byte("\n"))
	conn.Close()
	if b, err := io.ReadAll(extra); string(b) != "data" || err != nil {
		t.Errorf("the command that was given the pipe read %q, %v", b, err)
	}
	if err := reader.Wait(); err != nil {
		t.Error(err)
	}
}

// How os/exec's Wait is going to behave is found out without a look at what its
// goroutine may be writing.
func TestAdoptedAfterWaitDelay(t *testing.T) {
	deadline(t, stuck)
	ctx, cancel := context.WithCancel(t.Context())
	c := helperCmdContext(ctx, t, "serve", "0")
	c.Stdout, c.WaitDelay = new(bytes.Buffer), time.Millisecond
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := c.Std().Start(); err != nil {
		t.Fatal(err)
	}
	cancel()
	// The goroutine that watches has written it when it has a result to give. The
	// race detector must not see that we know.
	eventually(t, "os/exec has ended the command", func() bool {
		for g := range strings.SplitSeq(stacks(), "\n\n") {
			if strings.Contains(g, "[chan send") && strings.Contains(g, "os/exec.(*Cmd).watchCtx(") {
				return true
			}
		}
		return false
	})
	if err := c.Wait(); err == nil {
		t.Error("Wait: no error")
	}
}
