package xexec_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() {
	testkit.Register("late", helperLate)
}

// A start that fails closes the pipes that were made for it, as in os/exec, and
// gives a pipe that it was lent back as it was.
func TestFailedStartAndPipes(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xexec.Command("./no such file")
	r, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err == nil {
		t.Fatal("Start succeeded")
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read: %v, want os.ErrClosed", err)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write: %v, want os.ErrClosed", err)
	}

	c = xtest.Helper(t, "say", "o:"+strings.Repeat("x", 1000))
	r, err = c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	next := xexec.Command("./no such file")
	next.Stdin = r
	if err := next.Start(); err == nil {
		t.Fatal("Start succeeded")
	}
	if err := c.Run(); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(r); err != nil || len(got) != 1000 {
		t.Errorf("after a failed loan: %d bytes, %v, want 1000", len(got), err)
	}
}

// A command whose input is its own output cannot work, but it can fail to start.
func TestFailedStartOfCommandThatReadsItself(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xexec.Command("./no such file")
	r, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdin = r
	if err := c.Start(); err == nil {
		t.Error("Start succeeded")
	}
}

// helperLate waits for a line from the address, then is another helper command.
func helperLate(args []string) int {
	conn, err := net.Dial("tcp", args[0])
	if err != nil {
		return 1
	}
	bufio.NewReader(conn).ReadString('\n')
	return testkit.RunHelper(args[1], args[2:])
}

// Programs keep a Cmd in a struct and assign over it when they restart the
// command. It is a new one then, whatever became of the old one.

func TestAssignedOverAfterFailedStart(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
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
			*c = *xtest.Helper(t, "write", "10")
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

// StartContext uses the Cancel that is set, also that of a copy.
func TestStartContextOfCopyUsesItsCancel(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := *xtest.HelperContext(t.Context(), t, "serve", "0")
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
	testkit.Deadline(t, testkit.Stuck)
	c := *xtest.HelperContext(testkit.Ended, t, "exit", "0")
	c.Cancel = nil
	if _, err := c.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != context.Canceled {
		t.Errorf("Start: %v", err)
	}
}

// A loan that fails leaves the first one, which is in force, alone.
func TestSecondLoanOfAPipe(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.Helper(t, "say", "o:data")
	r, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	reader := xtest.Helper(t, "late", l.Addr().String(), "cat")
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
