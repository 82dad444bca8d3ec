//go:build unix

package stdio_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/xexec/internal/stdio"
)

// blockedRead starts a Read and returns when it waits, or is about to: there is no event
// for that, so something that comes only when asked for is read first.
func blockedRead(t *testing.T, r *stdio.Reader, w *os.File) <-chan error {
	t.Helper()
	read := make(chan error, 1)
	first := make(chan struct{})
	w.WriteString("1")
	go func() {
		b := make([]byte, 10)
		r.Read(b[:1])
		close(first)
		n, err := r.Read(b)
		if err == nil && n == 0 {
			err = errors.New("nothing read, and no error")
		}
		read <- err
	}()
	wait(t, "the first Read", first)
	time.Sleep(time.Duration(os.Getpid()%3) * time.Millisecond) // all that differs is which case is tried
	return read
}

// A Read that waits is ended though Fd was called while it did.
func TestEndEndsReadAfterFd(t *testing.T) {
	r, w := newPipe(t)
	read := blockedRead(t, r, w)
	time.Sleep(20 * time.Millisecond) // else it is in the kernel; see below
	r.Fd()
	within(t, "End", func() { r.End().Close() })
	if err := wait(t, "the Read", read); err != io.EOF {
		t.Errorf("Read: %v", err)
	}
	checkClosed(t, w)
}

// A Read that begins after Fd waits in the kernel. It holds up nobody, and takes what
// is left in the pipe when it has returned.
func TestEndLeavesTheRestToAReadAfterFd(t *testing.T) {
	r, w := newPipe(t)
	r.Fd()
	b := make([]byte, 3)
	read := make(chan int, 1)
	go func() { n, _ := r.Read(b); read <- n }()
	inKernel(t)
	within(t, "End", func() { r.End().Close() })
	w.WriteString("some more")
	if n := wait(t, "the Read", read); string(b[:n]) != "som" {
		t.Errorf("%q", b[:n])
	}
	readAll(r).check(t, []byte("e more"))
	checkClosed(t, w)
}

// inKernel gives a goroutine the time to get into a system call. A test that is too
// early tests another order, which must do as well.
func inKernel(t *testing.T) { time.Sleep(20 * time.Millisecond) }

// checkClosed checks that nobody has the read end of w's pipe.
func checkClosed(t *testing.T, w *os.File) {
	t.Helper()
	if _, err := w.WriteString("x"); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the pipe is open: %v", err)
	}
}

// Whoever is in the descriptor holds up nobody, may be the one who ends the command,
// and takes the rest when leaving.
func TestEndWhileDescriptorIsUsed(t *testing.T) {
	for _, how := range []string{"Control", "Read", "Write"} {
		for _, inside := range []bool{true, false} {
			r, w := newPipe(t)
			w.WriteString("some")
			conn, err := r.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			entered, release := make(chan struct{}), make(chan struct{})
			use := func(fd uintptr) bool {
				close(entered)
				if inside {
					r.End().Close()
				} else {
					<-release
				}
				var st syscall.Stat_t
				if err := syscall.Fstat(int(fd), &st); err != nil {
					t.Errorf("the descriptor in %s: %v", how, err)
				}
				return true
			}
			over := make(chan struct{})
			go func() {
				defer close(over)
				switch how {
				case "Control":
					conn.Control(func(fd uintptr) { use(fd) })
				case "Read":
					conn.Read(use)
				case "Write":
					conn.Write(use)
				}
			}()
			wait(t, how, entered)
			got := readAll(r)
			within(t, "End", func() { r.End().Close() })
			if !inside {
				close(release)
			}
			wait(t, how, over)
			got.check(t, []byte("some"))
			checkClosed(t, w)
			if err := conn.Control(func(uintptr) { t.Error("Control after the end") }); !isClosed(err) {
				t.Errorf("Control after the end: %v", err)
			}
		}
	}
}

// A user who leaves by a panic or Goexit has left.
func TestGoexitWhileDescriptorIsUsed(t *testing.T) {
	r, w := newPipe(t)
	w.WriteString("some")
	conn, err := r.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() { recover() }()
		conn.Control(func(uintptr) { r.End().Close(); panic("left") })
	}()
	readAll(r).check(t, []byte("some"))
}

// The user's Close returns though somebody is in the descriptor, and ends a Read that
// waits for what that one leaves.
func TestCloseWhileDescriptorIsUsedAfterEnd(t *testing.T) {
	r, w := newPipe(t)
	w.WriteString("some")
	conn, err := r.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	conn.Control(func(uintptr) {
		r.End().Close()
		read := make(chan error)
		go func() { _, err := r.Read(make([]byte, 1)); read <- err }()
		inKernel(t) // here: until it waits for the one who uses the descriptor
		within(t, "Close", func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if err := r.Close(); !isClosed(err) {
				t.Error(err)
			}
		})
		if err := wait(t, "Read", read); !isClosed(err) {
			t.Error(err)
		}
	})
	checkClosed(t, w)
}

// The reader of a command that could not be started finds it closed, and whoever is in
// the descriptor holds up nobody.
func TestAbortEnd(t *testing.T) {
	for _, used := range []bool{false, true} {
		r, w := newPipe(t)
		release := make(chan struct{})
		if used {
			conn, err := r.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			entered := make(chan struct{})
			go conn.Control(func(uintptr) { close(entered); <-release })
			wait(t, "Control", entered)
		}
		read := blockedRead(t, r, w)
		within(t, "AbortEnd", func() { stdio.AbortEnd(r.End()) })
		if err := wait(t, "Read", read); !isClosed(err) {
			t.Errorf("Read: %v", err)
		}
		if err := r.Close(); !isClosed(err) {
			t.Errorf("Close: %v", err)
		}
		close(release)
	}
}

// No deadline of the user's keeps a Read waiting after the end.
func TestDeadlinesBesideEnd(t *testing.T) {
	r, w := newPipe(t)
	if err := r.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read past its deadline: %v", err)
	}
	var setters sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		setters.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := r.SetDeadline(time.Now().Add(time.Hour)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	read := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		close(started)
		for {
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				read <- err
				return
			}
		}
	}()
	wait(t, "the reader", started)
	within(t, "End", func() { r.End().Close() })
	if err := wait(t, "Read", read); err != io.EOF {
		t.Errorf("Read: %v", err)
	}
	close(stop)
	setters.Wait()
	checkClosed(t, w)
}

// lend opens Streams that have r as Stdin.
func lend(t *testing.T, r *stdio.Reader) *stdio.Streams {
	t.Helper()
	s, err := stdio.Open(r, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What is in a pipe that a child has as Stdin is the child's. The descriptor is passed
// on, and nobody waits for the start.
func TestLentReaderIsTheChilds(t *testing.T) {
	r, w := newPipe(t)
	w.WriteString("some")
	s := lend(t, r)
	if !s.Copied() {
		t.Error("the pipe is to be copied")
	}
	got := readAll(nil2(r)) // beside it all; it is not told apart who gets what
	within(t, "End", func() { r.End().Close() })
	child, err := dup(s.Stdin)
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	s.Started()
	got.check(t, nil)
	w.Close()
	readAll(child).check(t, []byte("some"))
}

// nil2 is a reader that begins to read once the end has come.
func nil2(r *stdio.Reader) io.Reader { return endedReader{r} }

type endedReader struct{ r *stdio.Reader }

func (e endedReader) Read(b []byte) (int, error) {
	for e.r.Fd() != ^uintptr(0) {
		time.Sleep(time.Millisecond)
	}
	return e.r.Read(b)
}

// dup stands for what a child gets.
func dup(f *os.File) (*os.File, error) {
	fd, err := syscall.Dup(int(f.Fd()))
	return os.NewFile(uintptr(fd), "child"), err
}

// A start that fails gives the pipe back with all that is in it, and as it was: End
// still ends a Read.
func TestLentReaderIsGivenBack(t *testing.T) {
	for _, when := range []string{"before", "during", "between"} {
		r, w := newPipe(t)
		w.WriteString("some")
		s := lend(t, r)
		if when == "between" {
			second := lend(t, r)
			s.Stdin.Fd() // as os.StartProcess does
			second.Abort()
		}
		s.Stdin.Fd()
		if when == "during" {
			within(t, "End", func() { r.End().Close() })
			got := readAll(r)
			s.Abort()
			got.check(t, []byte("some"))
			checkClosed(t, w)
			continue
		}
		s.Abort()
		b := make([]byte, 4)
		if _, err := io.ReadFull(r, b); string(b) != "some" {
			t.Errorf("read %q, %v", b, err)
		}
		read := make(chan error, 1)
		go func() { _, err := r.Read(b); read <- err }()
		inKernel(t)
		within(t, "End", func() { r.End().Close() })
		if err := wait(t, "a Read after a failed start", read); err != io.EOF {
			t.Error(err)
		}
		checkClosed(t, w)
	}
}

// A Reader that was closed is no Stdin, as under os/exec; one whose command is over is
// copied.
func TestReaderAsStdinLater(t *testing.T) {
	closed, _ := newPipe(t)
	closed.Close()
	s := lend(t, closed)
	c, std := helper("cat"), helper("cat")
	c.Stdin = s.Stdin
	pr, _, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	pr.Close()
	std.Stdin = pr
	got, want := run(c), run(std)
	s.Started()
	if got != want {
		t.Errorf("%q, under os/exec %q", got, want)
	}

	over, w := newPipe(t)
	w.WriteString("some")
	over.End().Close()
	s = lend(t, over)
	c = helper("cat")
	c.Stdin = s.Stdin
	var b bytes.Buffer
	c.Stdout = &b
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s.Started()
	copied := make(chan error)
	s.Copy(func(err error) { copied <- err }, false)
	if err := wait(t, "the copier", copied); err != nil {
		t.Error(err)
	}
	if err := c.Wait(); err != nil || b.String() != "some" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func run(c *exec.Cmd) string {
	out, err := c.Output()
	if err != nil {
		return string(out) + err.Error()
	}
	return string(out)
}
