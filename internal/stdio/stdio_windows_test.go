package stdio

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// atOnce fails the test if f takes long.
func atOnce(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		buf := make([]byte, 1<<16)
		t.Fatalf("%s does not return\n%s", what, buf[:runtime.Stack(buf, true)])
	}
}

func testPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func spin(n int) {
	for range n {
		runtime.Gosched()
	}
}

// No end of a pipe that is closed, or cut, waits for somebody who is about to read or
// write.
func TestEndsAreClosedBesideTheirUsers(t *testing.T) {
	const rounds = 150
	for name, round := range map[string]func(r, w *os.File){
		"a Reader at the end of its command": func(r, w *os.File) {
			reader := NewReader(r)
			over := make(chan struct{})
			go func() {
				defer close(over)
				spin(rand.IntN(50))
				if b, err := io.ReadAll(reader); len(b) > 0 || err != nil {
					t.Errorf("%q, %v", b, err)
				}
			}()
			spin(rand.IntN(50))
			reader.End().Close()
			<-over
		},
		"a Reader by its user": func(r, w *os.File) {
			reader := NewReader(r)
			over := make(chan struct{})
			go func() {
				defer close(over)
				spin(rand.IntN(50))
				io.ReadAll(reader)
			}()
			spin(rand.IntN(50))
			reader.Close()
			<-over
		},
		"the end of StdinPipe": func(r, w *os.File) {
			over := make(chan struct{})
			go func() {
				defer close(over)
				spin(rand.IntN(50))
				for {
					if _, err := w.Write(make([]byte, 10000)); err != nil {
						return
					}
				}
			}()
			spin(rand.IntN(50))
			CloseEnd(w)
			<-over
		},
		"copiers": func(_, _ *os.File) {
			var out, errs bytes.Buffer
			s, err := Open(neverEnding{}, &out, &errs)
			if err != nil {
				t.Fatal(err)
			}
			over := make(chan error, 4)
			s.Copy(func(err error) { over <- err }, false)
			spin(rand.IntN(50))
			s.Cut()
			for range 3 {
				if err := <-over; err != nil {
					t.Error(err)
				}
			}
			s.Started()
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range rounds {
				r, w := testPipe(t)
				atOnce(t, "a round", func() { round(r, w) })
				r.Close()
				w.Close()
			}
		})
	}
}

type neverEnding struct{}

func (neverEnding) Read(b []byte) (int, error) { return len(b), nil }

// What is taken at the end is at most what the pipe holds, however much a writer waits
// to write.
func TestTakenIsWhatThePipeHolds(t *testing.T) {
	r, w := testPipe(t)
	reader := NewReader(r)
	go w.Write(make([]byte, 50<<20))
	conn, _ := r.SyscallConn()
	var size, limit uint32
	for size == 0 {
		conn.Control(func(h uintptr) {
			size, _ = peek(h)
			windows.GetNamedPipeInfo(windows.Handle(h), nil, &limit, nil, nil)
		})
	}
	reader.End().Close()
	n := 0
	atOnce(t, "reading", func() {
		b, err := io.ReadAll(reader)
		if n = len(b); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%d bytes, the pipe has %d", n, limit)
	if n == 0 || n > int(max(limit, 4096)) {
		t.Errorf("%d bytes, the pipe has %d", n, limit)
	}
}

// A write of no bytes is not the end of the output: not for a Reader, not for a Writer,
// not for what is taken at the end.
func TestNoBytesAreNoEnd(t *testing.T) {
	say := func(w *os.File) {
		for _, s := range []string{"a", "", "b", "", ""} {
			var n uint32
			if err := windows.WriteFile(windows.Handle(w.Fd()), []byte(s), &n, nil); err != nil {
				t.Error(err)
			}
		}
	}
	t.Run("Reader", func(t *testing.T) {
		r, w := messagePipe(t)
		go func() { say(w); w.Close() }()
		if b, err := io.ReadAll(NewReader(r)); string(b) != "ab" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	})
	t.Run("taken", func(t *testing.T) {
		r, w := messagePipe(t)
		reader := NewReader(r)
		go func() { say(w); reader.End().Close() }()
		if b, err := io.ReadAll(reader); !strings.HasPrefix(string(b), "a") || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	})
	for name, out := range map[string]interface {
		io.Writer
		String() string
	}{"Buffer": new(bytes.Buffer), "Builder": new(strings.Builder)} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(nil, out, nil)
			if err != nil {
				t.Fatal(err)
			}
			over := make(chan error, 1)
			s.Copy(func(err error) { over <- err }, false)
			say(s.Stdout)
			s.Started()
			if err := <-over; err != nil || out.String() != "ab" {
				t.Errorf("%q, %v", out.String(), err)
			}
		})
	}
}

// messagePipe returns a pipe that keeps writes apart, also those of no bytes: Wine's
// other pipes drop them.
func messagePipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	name, err := windows.UTF16PtrFromString(fmt.Sprintf(`\\.\pipe\xexec-test-%d-%d`, os.Getpid(), rand.Int()))
	if err != nil {
		t.Fatal(err)
	}
	const in, message = 1, 4 // PIPE_ACCESS_INBOUND, PIPE_TYPE_MESSAGE
	h, err := windows.CreateNamedPipe(name, in, message, 1, 4096, 4096, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := windows.CreateFile(name, windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, w = os.NewFile(uintptr(h), "|0"), os.NewFile(uintptr(other), "|1")
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// A ReadFrom that does not read to the end is called once.
func TestReadFromThatStops(t *testing.T) {
	out := new(stopper)
	s, err := Open(nil, out, nil)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	s.Copy(func(err error) { over <- err }, false)
	s.Stdout.WriteString("more than it reads")
	if err := <-over; err != nil || out.calls != 1 {
		t.Errorf("%d calls, %v", out.calls, err)
	}
	s.Started()
}

type stopper struct{ calls int }

func (s *stopper) Write(b []byte) (int, error) { return len(b), nil }

func (s *stopper) ReadFrom(r io.Reader) (int64, error) {
	s.calls++
	n, err := r.Read(make([]byte, 4))
	return int64(n), err
}

// End does not wait for who reads from the handle that Fd has given to him.
func TestEndBesideAReadOfTheHandle(t *testing.T) {
	r, w := testPipe(t)
	reader := NewReader(r)
	h := windows.Handle(reader.Fd())
	read := make(chan string, 1)
	go func() {
		b := make([]byte, 10)
		var n uint32
		windows.ReadFile(h, b, &n, nil)
		read <- string(b[:n])
	}()
	time.Sleep(50 * time.Millisecond) // nothing tells that it is in ReadFile
	atOnce(t, "End", func() { reader.End().Close() })
	w.WriteString("for the handle")
	w.Close()
	atOnce(t, "reading", func() { io.ReadAll(reader) })
	t.Logf("it has read %q", <-read)
}
