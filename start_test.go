package xexec_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
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

// A wild context panics, or ends its goroutine, when Done is called for the nth time.
type wild struct {
	context.Context
	n    *int
	wild func()
}

func (c wild) Done() <-chan struct{} {
	if *c.n--; *c.n == 0 {
		c.wild()
	}
	return c.Context.Done()
}

// goingWild starts c with a context that is wild at the nth time, and returns what
// has come of it as an error.
func goingWild(c *xexec.Cmd, n int, what func()) (err error) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer func() { err = fmt.Errorf("wild: %v", recover()) }()
		err = c.StartContext(wild{context.Background(), &n, what})
	}()
	<-over
	return err
}

const noFile = "/no such file"

// failedStarts are the ways in which a start fails. The first have os/exec's errors.
var failedStarts = map[string]func(c *xexec.Cmd) error{
	"std: no such file":      func(c *xexec.Cmd) error { c.Path = noFile; return c.Start() },
	"std: not executable":    func(c *xexec.Cmd) error { c.Path = os.DevNull; return c.Start() },
	"std: no path":           func(c *xexec.Cmd) error { c.Path = ""; return c.Start() },
	"std: an earlier error":  func(c *xexec.Cmd) error { c.Err = testkit.ErrBroken; return c.Start() },
	"std: no such directory": func(c *xexec.Cmd) error { c.Dir = noFile; return c.Start() },
	"std: a string with 0":   func(c *xexec.Cmd) error { c.Args = []string{"a\x00b"}; return c.Start() },
	"std: Cancel without context": func(c *xexec.Cmd) error {
		c.Cancel = func() error { return nil }
		return c.Start()
	},
	"negative grace": func(c *xexec.Cmd) error { c.SetGracePeriod(-1); return c.Start() },
	"negative limit": func(c *xexec.Cmd) error { c.SetOutputLimit(-1); return c.Start() },
	"ended context":  func(c *xexec.Cmd) error { return c.StartContext(testkit.Ended) },
	"ended context, of a tree": func(c *xexec.Cmd) error {
		c.SetTree(true)
		return c.StartContext(testkit.Ended)
	},
	"no such file, of a tree": func(c *xexec.Cmd) error {
		c.SetTree(true)
		c.Path = noFile
		return c.Start()
	},
	"no such file, with parent exit": func(c *xexec.Cmd) error {
		c.SetKillOnParentExit(true)
		c.Path = noFile
		return c.Start()
	},
	"a panic in the context":  func(c *xexec.Cmd) error { return goingWild(c, 1, func() { panic("wild") }) },
	"a Goexit in the context": func(c *xexec.Cmd) error { return goingWild(c, 1, runtime.Goexit) },
}

// A start that fails, in whichever way, leaves nothing open and nobody waiting,
// whichever package has made the pipes.
func TestFailedStartLeavesNothing(t *testing.T) {
	for name, start := range failedStarts {
		t.Run(name, func(t *testing.T) {
			xtest.ExpectClean(t)
			for _, makers := range []string{"xxx", "sss", "xsx", "sxs", "ssx", "xxs"} {
				c := xtest.Helper(t, "exit", "0")
				type maker interface {
					StdinPipe() (io.WriteCloser, error)
					StdoutPipe() (io.ReadCloser, error)
					StderrPipe() (io.ReadCloser, error)
				}
				of := func(i int) maker {
					if makers[i] == 's' {
						return c.Std()
					}
					return c
				}
				stdin, err1 := of(0).StdinPipe()
				stdout, err2 := of(1).StdoutPipe()
				stderr, err3 := of(2).StderrPipe()
				if err := errors.Join(err1, err2, err3); err != nil {
					t.Fatal(err)
				}
				done := c.Done()
				reads := make(chan error, 2)
				for _, r := range []io.Reader{stdout, stderr} { // that wait already
					go func() {
						_, err := io.ReadAll(r)
						reads <- err
					}()
				}
				err := start(c)
				if err == nil || c.Process != nil {
					t.Fatalf("%s: Start: %v", makers, err)
				}
				<-done
				<-c.Done()
				for range 2 {
					if err := <-reads; err != nil && !errors.Is(err, os.ErrClosed) {
						t.Errorf("a Read that waited: %v", err)
					}
				}
				for _, r := range []io.Reader{stdout, stderr} {
					if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
						t.Errorf("Read: %v", err)
					}
				}
				if _, err := stdin.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
					t.Errorf("Write: %v", err)
				}
				for what, err := range map[string]error{"Start": c.Start(), "Std().Start": c.Std().Start(), "Run": c.Run(), "RunContext": c.RunContext(t.Context())} {
					if err == nil || err.Error() != "exec: already started" {
						t.Errorf("%s afterwards: %v", what, err)
					}
				}
				if err := c.Wait(); err == nil || err.Error() != "exec: not started" {
					t.Errorf("Wait: %v", err)
				}
				*c = *xtest.Helper(t, "exit", "0")
				if err := c.Run(); err != nil {
					t.Errorf("Run of what is assigned over it: %v", err)
				}
			}
		})
	}
}

// The error of a start is os/exec's.
func TestFailedStartSaysWhatOsExecSays(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for name, start := range failedStarts {
		if !strings.HasPrefix(name, "std: ") {
			continue
		}
		c, std := xtest.Helper(t, "exit", "0"), testkit.Command(t, "exit", "0")
		got := start(c)
		std.Path, std.Args, std.Dir, std.Err, std.Cancel = c.Path, c.Args, c.Dir, c.Err, c.Cancel
		if name == "std: no path" {
			std.Err = nil
		}
		if want := std.Start(); testkit.Describe(got) != testkit.Describe(want) || c.String() != std.String() {
			t.Errorf("%s: %v, %v, os/exec: %v, %v", name, got, c, want, std)
		}
	}
}

// A context that goes wild when the process runs already does no harm to it.
func TestContextThatGoesWildAfterTheStart(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for name, what := range map[string]func(){"panic": func() { panic("wild") }, "Goexit": runtime.Goexit} {
		for n := 1; ; n++ {
			c := xtest.Helper(t, "serve", "0")
			stdin, err := c.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := goingWild(c, n, what); err.Error() != "wild: wild" && err.Error() != "wild: <nil>" {
				t.Errorf("%s: %v", name, err)
			}
			stdin.Close()
			if c.Pid() == 0 {
				if err := c.Wait(); err.Error() != "exec: not started" {
					t.Errorf("%s at %d: Wait: %v", name, n, err)
				}
				continue
			}
			if err := c.Wait(); err != nil {
				t.Errorf("%s at %d: Wait: %v", name, n, err)
			}
			if n > 10 {
				break
			}
		}
	}
}

// Nor does one that goes wild when Run has started the command: what that writes is
// copied, and Wait returns.
func TestContextThatGoesWildInRun(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	started := 0
	for n := 1; ; n++ {
		c := xtest.Helper(t, "say", "o:something")
		var out bytes.Buffer
		c.Stdout = &out
		over, left := make(chan bool), n
		go func() {
			wildly := true
			defer func() { recover(); over <- wildly }()
			c.RunContext(wild{context.Background(), &left, func() { panic("wild") }})
			wildly = false
		}()
		if !<-over {
			break
		}
		if c.Pid() != 0 {
			started++
			if err := c.Wait(); err != nil || out.String() != "something" {
				t.Errorf("at %d: Wait: %v, output %q", n, err, out.String())
			}
		}
	}
	if started == 0 {
		t.Error("it is never wild after the start")
	}
}

// What Output has put into a command that could not be started is a Writer like any
// other: as under os/exec, another command may have it.
func TestOutputOfAFailedStartIsAWriter(t *testing.T) {
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		c := p.Command(noFile)
		if p.Name == xtest.X.Name {
			xexec.FromStd(c.Std()).SetOutputLimit(3)
		}
		c.Output()
		d := p.Helper(t, "say", "o:something")
		if d.Std().Stdout = c.Std().Stdout; d.Std().Stdout == nil {
			t.Fatal("there is none")
		}
		d.Run() // the limit may be its error
	})
}
