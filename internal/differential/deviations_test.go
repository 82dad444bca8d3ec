package differential_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// The deviations from os/exec, numbered as in the documentation. Each test
// shows first what os/exec does, so that one which os/exec has caught up with
// fails and can go. Those that need Linux to be seen are in
// deviations_linux_test.go.

// Deviation 1.
func TestSecondWaitReturnsTheFirstResult(t *testing.T) {
	t.Parallel()
	testkit.Deadline(t, testkit.Stuck)

	std := testkit.Command(t, "exit", "3")
	if err := std.Run(); err == nil || err.Error() != "exit status 3" {
		t.Fatalf("os/exec: %v", err)
	}
	if err := std.Wait(); err == nil || err.Error() != "exec: Wait was already called" {
		t.Errorf("os/exec: a second Wait: %v", err)
	}

	c := xtest.Helper(t, "exit", "3")
	first := c.Run()
	if first == nil || first.Error() != "exit status 3" {
		t.Fatal(first)
	}
	if err := c.Wait(); err != first {
		t.Errorf("a second Wait: %v, the first %v", err, first)
	}
}

// Deviation 1.
func TestConcurrentWaitsReturnOneResult(t *testing.T) {
	t.Parallel()
	testkit.Deadline(t, testkit.Stuck)

	c := xtest.Helper(t, "serve", "3")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	const waiters = 8
	errs := make(chan error, waiters)
	for range waiters {
		go func() {
			err := c.Wait()
			if c.ProcessState == nil {
				err = errors.New("no ProcessState after Wait")
			}
			errs <- err
		}()
	}
	in.Close()
	first := <-errs
	if first == nil || first.Error() != "exit status 3" {
		t.Error(first)
	}
	for range waiters - 1 {
		if err := <-errs; err != first {
			t.Errorf("one Wait: %v, another: %v", first, err)
		}
	}
}

// Deviation 2.
func TestOutputCanBeReadAfterWait(t *testing.T) {
	t.Parallel()
	testkit.Deadline(t, testkit.Stuck)
	// As much as fits in the smallest pipe, or the child could not end.
	want := strings.Repeat("x", 512)

	std := testkit.Command(t, "say", "o:"+want, "e:"+want)
	out, err := std.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := std.Run(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(out); len(b) != 0 || !errors.Is(err, os.ErrClosed) {
		t.Errorf("os/exec: read %q, %v", b, err)
	}

	c := xtest.Helper(t, "say", "o:"+want, "e:"+want)
	out, err = c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errOut, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	for _, pipe := range []io.Reader{out, errOut} {
		if b, err := io.ReadAll(pipe); string(b) != want || err != nil {
			t.Errorf("read %d bytes, %v; want %d", len(b), err, len(want))
		}
		if n, err := pipe.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("at the end: %d, %v", n, err)
		}
	}
}

// Deviation 2, beside 3: a command that could not be started has read nothing.
func TestOutputSurvivesAReaderThatDoesNotStart(t *testing.T) {
	t.Parallel()
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.Helper(t, "say", "o:some")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	reader := xexec.Command(filepath.Join(t.TempDir(), "missing"))
	reader.Stdin = out
	if err := reader.Start(); err == nil {
		t.Fatal("a missing program starts")
	}
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(out); string(b) != "some" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// Deviation 3.
func TestStdoutPipeHasTheMethodsOfAFile(t *testing.T) {
	file := reflect.TypeFor[*os.File]()

	out, err := testkit.Command(t, "exit", "0").StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if reflect.TypeOf(out) != file {
		t.Errorf("os/exec: StdoutPipe is a %T", out)
	}

	c := xtest.Helper(t, "exit", "0")
	out, err = c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errOut, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, pipe := range []io.ReadCloser{out, errOut} {
		if reflect.TypeOf(pipe) == file {
			t.Error("the pipe is an *os.File; the deviation can go")
		}
		for i := range file.NumMethod() {
			want := file.Method(i)
			got, ok := reflect.TypeOf(pipe).MethodByName(want.Name)
			if !ok {
				t.Errorf("%T has no method %s", pipe, want.Name)
			} else if g, w := testkit.Signature(got.Type), testkit.Signature(want.Type); !reflect.DeepEqual(g, w) {
				t.Errorf("%T.%s is %v", pipe, want.Name, got.Type)
			}
		}
	}
	if err := c.Run(); err != nil {
		t.Error(err)
	}
}

// Deviation 4. Not parallel: it counts goroutines.
func TestContextOfCommandNobodyWaitsForLeaksNoGoroutine(t *testing.T) {
	testkit.NeedDescriptors(t, 100)
	const commands = 20
	run := func(p xtest.Package, expected int) (started, cancelled int) {
		testkit.Deadline(t, testkit.Stuck)
		if n := packageGoroutines(0); n != 0 {
			t.Fatalf("%d goroutines at the start:\n%s", n, testkit.Stacks())
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var list []xtest.Command
		for range commands {
			c := p.HelperContext(ctx, t, "serve", "0")
			in, err := c.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			list = append(list, c)
		}
		started = packageGoroutines(expected)
		cancel()
		cancelled = packageGoroutines(expected)
		for _, c := range list {
			c.Wait()
		}
		return started, cancelled
	}
	if started, cancelled := run(xtest.Std, commands); started < commands || cancelled < commands {
		t.Errorf("os/exec leaves %d goroutines for %d commands, %d when the context has ended", started, commands, cancelled)
	}
	if started, cancelled := run(xtest.X, 0); started > 0 || cancelled > 0 {
		t.Errorf("%d goroutines for %d commands, %d when the context has ended", started, commands, cancelled)
	}
}

// packageGoroutines counts the goroutines that either package is in, or has started.
// If there are more than expected, it gives those time that are about to end.
func packageGoroutines(expected int) (n int) {
	for end := time.Now().Add(testkit.Stuck / 4); ; time.Sleep(10 * time.Millisecond) {
		n = 0
		for g := range strings.SplitSeq(testkit.Stacks(), "\n\n") {
			ours := strings.Contains(g, "os/exec.") || testkit.OfLibrary(g, "")
			if ours {
				n++
			}
		}
		if n <= expected || time.Now().After(end) {
			return n
		}
	}
}

// Deviation 6.
func TestWaitDelayBoundsAStuckStdin(t *testing.T) {
	t.Parallel()
	testkit.Deadline(t, testkit.Stuck)
	start := func(p xtest.Package) (stdin *stuckReader, done chan error) {
		stdin, done = &stuckReader{make(chan struct{})}, make(chan error, 1)
		c := p.Helper(t, "exit", "0")
		c.Std().Stdin, c.Std().WaitDelay = stdin, short
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { done <- c.Wait() }()
		return stdin, done
	}
	stdin, stdDone := start(xtest.Std)
	xStdin, xDone := start(xtest.X)
	select {
	case err := <-xDone:
		if err == nil || err.Error() != "exec: WaitDelay expired before I/O complete" {
			t.Errorf("Wait: %v", err)
		}
	case <-time.After(testkit.Stuck / 4):
		t.Error("Wait hangs")
		defer func() { <-xDone }()
	}
	xStdin.release()
	select {
	case err := <-stdDone:
		t.Errorf("os/exec: Wait does not hang any more: %v", err)
	case <-time.After(5 * short):
		stdin.release()
		<-stdDone
	}
}

// A stuckReader reads nothing until it is released.
type stuckReader struct{ released chan struct{} }

func (r *stuckReader) release() { close(r.released) }

func (r *stuckReader) Read([]byte) (int, error) {
	<-r.released
	return 0, io.EOF
}
