package stdio_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/xexec/internal/stdio"
)

// A way is how the streams are copied: by goroutines, or by the caller.
type way struct {
	name string
	here bool
}

var ways = []way{{"goroutines", false}, {"here", true}}

func bothWays(t *testing.T, f func(t *testing.T, w way)) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) { f(t, w) })
	}
}

// A running is a child with streams.
type running struct {
	*stdio.Streams
	c     *exec.Cmd
	ended chan error // has one for each stream that is over
}

// start starts c with the files, as the package's caller does.
func (w way) start(t testing.TB, c *exec.Cmd, in io.Reader, out, errs io.Writer) *running {
	t.Helper()
	s, err := stdio.Open(in, out, errs)
	if err != nil {
		t.Fatal(err)
	}
	c.Stdin, c.Stdout, c.Stderr = s.Stdin, s.Stdout, s.Stderr
	if err := c.Start(); err != nil {
		s.Abort()
		t.Fatal(err)
	}
	s.Started()
	r := &running{Streams: s, c: c, ended: make(chan error, 10)}
	s.Copy(func(err error) { r.ended <- err }, w.here)
	return r
}

// wait copies and waits until the streams are over. It returns their errors.
func (r *running) wait(t testing.TB, w way) (errs []error) {
	t.Helper()
	if w.here {
		within(t, "CopyHere", func() { r.copyHere() })
	}
	for !r.Over() {
		if err := wait(t, "the copying", r.ended); err != nil {
			errs = append(errs, err)
		}
	}
	for {
		select {
		case err := <-r.ended:
			if err != nil {
				errs = append(errs, err)
			}
			continue
		default:
		}
		return errs
	}
}

func (r *running) copyHere() (exited bool) {
	if err := r.c.Process.WithHandle(func(fd uintptr) { exited = r.CopyHere(int(fd), true) }); err != nil {
		return r.CopyHere(-1, true)
	}
	return exited
}

// Every kind of Stdin, Stdout and Stderr gets all bytes, and two that are equal get
// them in order.
func TestCopies(t *testing.T) {
	big := pattern(200_000)
	inputs := []func() io.Reader{
		func() io.Reader { return nil },
		func() io.Reader { return bytes.NewReader(big[:1000]) },
		func() io.Reader { return strings.NewReader(string(big[:64<<10])) },
		func() io.Reader { return bytes.NewBuffer(big[:100:100]) },
		func() io.Reader { return new(bytes.Buffer) },
		func() io.Reader { return bytes.NewReader(big) },
		func() io.Reader { return io.MultiReader(bytes.NewReader(big), strings.NewReader("end")) },
	}
	outputs := []func() (io.Writer, func() []byte){
		func() (io.Writer, func() []byte) { b := new(bytes.Buffer); return b, b.Bytes },
		func() (io.Writer, func() []byte) {
			b := new(strings.Builder)
			return b, func() []byte { return []byte(b.String()) }
		},
		func() (io.Writer, func() []byte) { c := stdio.NewCapture(0, nil); return c, c.Take },
		func() (io.Writer, func() []byte) { b := new(bytes.Buffer); return struct{ io.Writer }{b}, b.Bytes },
		func() (io.Writer, func() []byte) { b := new(lockedBuffer); return incomparable{b, nil}, b.Bytes },
	}
	bothWays(t, func(t *testing.T, w way) {
		for i := range max(len(inputs), len(outputs)) {
			in, out, errOut := inputs[i%len(inputs)], outputs[i%len(outputs)], outputs[(i+1)%len(outputs)]
			var input []byte
			if in := in(); in != nil {
				input, _ = io.ReadAll(in)
			}
			for _, one := range []bool{false, true} {
				to, got := out()
				errTo, errGot := errOut()
				want := bytes.Repeat([]byte("out "), 100)
				if one {
					errTo, errGot = to, nil
					want = bytes.Repeat([]byte("out err "), 100)
				}
				want = append(want, input...)
				r := w.start(t, helper("both"), in(), to, errTo)
				if errs := r.wait(t, w); errs != nil {
					t.Error(errs)
				}
				if err := r.c.Wait(); err != nil {
					t.Error(err)
				}
				if !r.Copied() || !r.Over() || !r.OutputsCopied() {
					t.Error("not over")
				}
				what := fmt.Sprintf("%T to %T, one: %v", in(), to, one)
				switch b := got(); {
				case one && i%len(outputs) == 4: // not to be compared: two pipes
					if len(b) != len(want) {
						t.Errorf("%s: %d bytes, want %d", what, len(b), len(want))
					}
				case !bytes.Equal(b, want):
					t.Errorf("%s: %d bytes, want %d", what, len(b), len(want))
				}
				if !one && string(errGot()) != strings.Repeat("err ", 100) {
					t.Errorf("%s: Stderr", what)
				}
			}
		}
	})
}

// A lockedBuffer can be written to by two copiers.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

type incomparable struct {
	io.Writer
	_ []int
}

// A Reader in memory counts as read when the command was started, and not before.
func TestSmallInputIsRead(t *testing.T) {
	bothWays(t, func(t *testing.T, w way) {
		for _, in := range []interface {
			io.Reader
			Len() int
		}{bytes.NewReader(make([]byte, 10)), strings.NewReader("0123456789"), bytes.NewBufferString("0123456789")} {
			s, err := stdio.Open(in, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.Abort()
			if in.Len() != 10 {
				t.Errorf("%T: a start that failed has read from it", in)
			}
			in.Read(make([]byte, 1))
			var out bytes.Buffer
			r := w.start(t, helper("cat"), in, &out, nil)
			r.wait(t, w)
			r.c.Wait()
			if in.Len() != 0 || out.Len() != 9 {
				t.Errorf("%T: %d left, %d read", in, in.Len(), out.Len())
			}
		}
	})
}

// Errors are those of os/exec, seen side by side.
func TestErrorsOfCopying(t *testing.T) {
	failed := errors.New("failed")
	cases := []struct {
		name, helper string
		in           func() io.Reader
		out          func() io.Writer
	}{
		{"writer", "1000000", nil, func() io.Writer { return writerFunc(func([]byte) (int, error) { return 0, failed }) }},
		{"short writer", "1000000", nil, func() io.Writer { return writerFunc(func(b []byte) (int, error) { return len(b) - 1, nil }) }},
		{"reader", "cat", func() io.Reader { return readerFunc(func([]byte) (int, error) { return 0, failed }) }, nil},
		{"unread", "nothing", func() io.Reader { return bytes.NewReader(make([]byte, 1<<20)) }, nil},
		{"unread reader", "nothing", func() io.Reader { return io.LimitReader(zeros{}, 1<<20) }, nil},
	}
	bothWays(t, func(t *testing.T, w way) {
		for _, c := range cases {
			var in io.Reader
			var out io.Writer
			stdCmd := helper(c.helper)
			if c.in != nil {
				in, stdCmd.Stdin = c.in(), c.in()
			}
			if c.out != nil {
				out, stdCmd.Stdout = c.out(), c.out()
			}
			want := stdCmd.Run()
			r := w.start(t, helper(c.helper), in, out, nil)
			var got error
			if errs := r.wait(t, w); errs != nil {
				got = errs[0]
			}
			if err := r.c.Wait(); err != nil {
				got = err
			}
			if (got == nil) != (want == nil) || got != nil && got.Error() != want.Error() {
				t.Errorf("%s: %v, under os/exec %v", c.name, got, want)
			}
		}
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// A start that failed leaves nothing behind, and tells nobody.
func TestAbort(t *testing.T) {
	bothWays(t, func(t *testing.T, w way) {
		in := readerFunc(func([]byte) (int, error) { t.Error("read"); return 0, io.EOF })
		s, err := stdio.Open(in, new(bytes.Buffer), struct{ io.Writer }{io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		child := s.Stdout
		s.Abort()
		if _, err := child.WriteString("x"); !isClosed(err) {
			t.Error("the child's end:", err)
		}
		if !s.Copied() || !s.Over() {
			t.Error("not over")
		}
		s.Cut()
	})
}

// Nothing to copy, or no Streams at all.
func TestNothingToCopy(t *testing.T) {
	none := new(stdio.Streams)
	some, err := stdio.Open(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*stdio.Streams{none, some} {
		s.Started()
		s.Copy(func(error) { t.Error("ended") }, true)
		s.CopyHere(-1, true)
		s.Cut()
		if !s.Over() || !s.Copied() || !s.OutputsCopied() {
			t.Error("not over")
		}
		s.Abort()
	}
}

// A Writer that ends its goroutine, as a test's FailNow does, holds nobody up.
func TestGoexitOfAWriter(t *testing.T) {
	out := writerFunc(func([]byte) (int, error) { runtime.Goexit(); return 0, nil })
	r := ways[0].start(t, helper("100"), nil, out, nil)
	if errs := r.wait(t, ways[0]); errs != nil {
		t.Error(errs)
	}
	r.c.Wait()
}

// Streams do not keep what the caller's Writers lead to.
func TestStreamsHoldNoWriter(t *testing.T) {
	bothWays(t, func(t *testing.T, w way) {
		freed := make(chan struct{}, 2)
		s := func() *stdio.Streams {
			out, errs := new(bytes.Buffer), &struct{ io.Writer }{io.Discard}
			runtime.AddCleanup(out, func(int) { freed <- struct{}{} }, 0)
			runtime.AddCleanup(errs, func(int) { freed <- struct{}{} }, 0)
			r := w.start(t, helper("10"), readerFunc(func([]byte) (int, error) { return 0, io.EOF }), out, errs)
			r.wait(t, w)
			r.c.Wait()
			return r.Streams
		}()
		for n, end := 0, time.Now().Add(stuck); n < 2; {
			runtime.GC()
			select {
			case <-freed:
				n++
			case <-time.After(10 * time.Millisecond):
				if time.Now().After(end) {
					t.Fatal("a Writer is kept")
				}
			}
		}
		runtime.KeepAlive(s)
	})
}
