package stdio_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"example.com/xexec/internal/stdio"
)

// descriptors counts those of pipes and event descriptors.
func descriptors(t *testing.T) (n int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		to, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		if strings.HasPrefix(to, "pipe:") || strings.HasPrefix(to, "anon_inode:[eventfd") {
			n++
		}
	}
	return n
}

// When all is over no descriptor is open, at once.
func TestNoDescriptorStays(t *testing.T) {
	bothWays(t, func(t *testing.T, w way) {
		failed := errors.New("failed")
		ways := map[string]func(){
			"abort": func() {
				s, err := stdio.Open(zeros{}, new(bytes.Buffer), struct{ io.Writer }{io.Discard})
				if err != nil {
					t.Fatal(err)
				}
				s.Abort()
			},
			"run": func() {
				r := w.start(t, helper("both"), strings.NewReader("x"), new(bytes.Buffer), stdio.NewCapture(0, nil))
				r.wait(t, w)
				r.c.Wait()
			},
			"failed": func() {
				fails := writerFunc(func([]byte) (int, error) { return 0, failed })
				r := w.start(t, helper("both"), bytes.NewReader(make([]byte, 1<<20)), fails, stdio.NewCapture(1, nil))
				r.wait(t, w)
				r.c.Wait()
			},
			"cut": func() {
				s, c, ended := w.opened(t, zeros{}, new(bytes.Buffer), io.Discard)
				s.Cut()
				if w.here {
					s.CopyHere(-1, true)
				}
				over(t, s, ended)
				for _, f := range []*os.File{c.in, c.out, c.errs} {
					f.Close()
				}
			},
			"reader": func() {
				r, in := newPipe(t)
				in.WriteString("some")
				lend(t, r).Abort()
				lend(t, r).Started()
				r.End().Close()
				in.Close()
			},
			"closed reader": func() {
				r, in := newPipe(t)
				r.Close()
				r.End().Close()
				in.Close()
			},
			"stdin": func() {
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				stdio.CloseEnd(w)
				r.Close()
			},
		}
		for name, do := range ways {
			before := descriptors(t)
			for range 3 {
				do()
			}
			if after := descriptors(t); after > before {
				t.Errorf("%s: %d descriptors, %d before", name, after, before)
			}
		}
	})
}

// What a pipe cannot hold is not left half written.
func TestInputThatDoesNotFitThePipe(t *testing.T) {
	before := descriptors(t)
	if f := stdio.Prewritten(make([]byte, 1<<20)); f != nil {
		t.Error("a pipe holds a megabyte")
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
	f := stdio.Prewritten([]byte("some"))
	if b, err := io.ReadAll(f); string(b) != "some" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	f.Close()
}
