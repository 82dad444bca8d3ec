package stdio_test

import (
	"bytes"
	"io"
	"os"
	"reflect"
	"runtime"
	"sync"
	"testing"

	"example.com/xexec/internal/stdio"
)

// What is in the pipe when the command is over is read, then io.EOF, whoever is first
// and however it is read; also while somebody still holds the other end.
func TestReaderLosesNothing(t *testing.T) {
	want := pattern(3000) // fits in every pipe
	for _, how := range []string{"beside", "WriteTo", "bytes", "many", "after"} {
		for _, held := range []bool{false, true} {
			r, w := newPipe(t)
			var readers sync.WaitGroup
			var got *reading
			var mu sync.Mutex
			var sum int
			switch how {
			case "beside":
				got = readAll(r)
			case "WriteTo":
				var b bytes.Buffer
				readers.Go(func() {
					if n, err := io.Copy(&b, r); n != int64(len(want)) || err != nil || !bytes.Equal(b.Bytes(), want) {
						t.Errorf("io.Copy: %d, %v", n, err)
					}
				})
			case "bytes":
				got = readAll(oneByte{r})
			case "many":
				for range 4 {
					readers.Go(func() {
						b, err := io.ReadAll(oneByte{r})
						mu.Lock()
						defer mu.Unlock()
						if sum += len(b); err != nil {
							t.Error(err)
						}
					})
				}
			}
			w.Write(want)
			if !held {
				w.Close()
			}
			within(t, "End", func() { r.End().Close() })
			if how == "after" {
				got = readAll(r)
			}
			within(t, "a reader", readers.Wait)
			if got != nil {
				got.check(t, want)
			}
			if how == "many" && sum != len(want) {
				t.Errorf("%d bytes by many readers, want %d", sum, len(want))
			}
			if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("%s: Read at the end: %d, %v", how, n, err)
			}
			w.Close()
		}
	}
}

// oneByte reads one byte at a time.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(b []byte) (int, error) { return o.r.Read(b[:min(len(b), 1)]) }

// A Reader gives the same errors as an os.File.
func TestReaderFailsAsAFileDoes(t *testing.T) {
	type pipe interface {
		io.ReadCloser
		io.WriterTo
	}
	r, _ := newPipe(t)
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pw.Close()
	said := func(p pipe) (s []string) {
		say := func(n any, err error) {
			text := "nil"
			if err != nil {
				text = err.Error()
			}
			s = append(s, text)
			if n != 0 && n != int64(0) {
				t.Error(n)
			}
		}
		if runtime.GOOS != "windows" { // where it waits for a byte
			say(p.Read(nil))
		}
		say(0, p.Close())
		say(p.Read(nil))
		say(p.Read(make([]byte, 1)))
		say(0, p.Close())
		return s
	}
	if got, want := said(r), said(pr); !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// The user's Close after the end succeeds, once, and then all is as after a Close.
func TestReaderClosedAfterEnd(t *testing.T) {
	r, w := newPipe(t)
	w.WriteString("lost")
	end := r.End()
	for range 2 {
		if err := end.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, err := r.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of nothing: %d, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := r.Close(); !isClosed(err) || err.Error() != "close |0: file already closed" {
		t.Errorf("second Close: %v", err)
	}
	if n, err := r.Read(make([]byte, 4)); n != 0 || !isClosed(err) {
		t.Errorf("Read: %d, %v", n, err)
	}
}

// Close beside End and reads: a read returns data, io.EOF, or that the user has closed
// the pipe; Close succeeds, and nothing hangs.
func TestReaderClosedBesideEnd(t *testing.T) {
	for range 200 {
		r, w := newPipe(t)
		w.WriteString("some")
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				for {
					switch n, err := r.Read(make([]byte, 3)); {
					case err == io.EOF, isClosed(err):
						return
					case err != nil || n == 0:
						t.Errorf("Read: %d, %v", n, err)
						return
					}
				}
			})
		}
		all.Go(func() { r.End().Close() })
		all.Go(func() {
			if err := r.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		within(t, "a call", all.Wait)
		w.Close()
	}
}

func TestReaderHasTheMethodsOfAFile(t *testing.T) {
	file, reader := reflect.TypeFor[*os.File](), reflect.TypeFor[*stdio.Reader]()
	for i := range file.NumMethod() {
		want := file.Method(i)
		got, ok := reader.MethodByName(want.Name)
		if !ok {
			t.Errorf("no method %s", want.Name)
			continue
		}
		g, w := reflect.New(got.Type).Elem().Type(), want.Type
		same := g.NumIn() == w.NumIn() && g.NumOut() == w.NumOut()
		for i := 1; same && i < g.NumIn(); i++ {
			same = g.In(i) == w.In(i)
		}
		for i := 0; same && i < g.NumOut(); i++ {
			same = g.Out(i) == w.Out(i)
		}
		if !same {
			t.Errorf("%s is %v, not %v", want.Name, g, w)
		}
	}
}

// A Writer's ReadFrom sees something like a file, as under os/exec, and no WriteTo.
func TestReaderGivesWritersAFile(t *testing.T) {
	r, w := newPipe(t)
	w.WriteString("x")
	w.Close()
	var to fromFile
	if n, err := r.WriteTo(&to); n != 1 || err != nil {
		t.Errorf("WriteTo: %d, %v", n, err)
	}
	if !to.conn {
		t.Error("no SyscallConn")
	}
}

type fromFile struct {
	conn bool
	bytes.Buffer
}

func (f *fromFile) ReadFrom(r io.Reader) (int64, error) {
	_, f.conn = r.(interface{ Fd() uintptr })
	return f.Buffer.ReadFrom(struct{ io.Reader }{r})
}

// The command can be over while a Writer has what was read.
func TestEndFromWithinWriteTo(t *testing.T) {
	r, w := newPipe(t)
	w.WriteString("some")
	var got []byte
	within(t, "WriteTo", func() {
		n, err := r.WriteTo(writerFunc(func(b []byte) (int, error) {
			if got = append(got, b...); len(got) == 4 {
				w.WriteString("more")
				r.End().Close()
			}
			return len(b), nil
		}))
		if n != 8 || err != nil {
			t.Errorf("WriteTo: %d, %v", n, err)
		}
	})
	if string(got) != "somemore" {
		t.Errorf("%q", got)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
