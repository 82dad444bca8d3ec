//go:build unix

package stdio_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"example.com/xexec/internal/stdio"
)

// child stands for a process that has the files of s.
type child struct{ in, out, errs *os.File }

// play gives the files to nobody but the test.
func (w way) play(t *testing.T, s *stdio.Streams, ended func(error)) child {
	t.Helper()
	var c child
	for i, f := range []*os.File{s.Stdin, s.Stdout, s.Stderr} {
		d, err := dup(f)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		*[]**os.File{&c.in, &c.out, &c.errs}[i] = d
	}
	s.Started()
	s.Copy(ended, w.here)
	return c
}

// opened opens streams in a way and plays their child.
func (w way) opened(t *testing.T, in io.Reader, out, errs io.Writer) (*stdio.Streams, child, chan error) {
	t.Helper()
	s, err := stdio.Open(in, out, errs)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 10)
	return s, w.play(t, s, func(err error) { ended <- err }), ended
}

// over waits until s is over.
func over(t *testing.T, s *stdio.Streams, ended <-chan error) {
	t.Helper()
	for !s.Over() {
		if err := wait(t, "the copying", ended); err != nil {
			t.Error(err)
		}
	}
}

// never is a descriptor that no process's exit makes readable.
func never(t *testing.T) int {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return int(r.Fd())
}

// A cut takes what is in the pipes, and waits for nobody who holds them.
func TestCutKeepsWhatIsInThePipe(t *testing.T) {
	bothWays(t, func(t *testing.T, w way) {
		var out bytes.Buffer
		errs := stdio.NewCapture(0, nil)
		s, c, ended := w.opened(t, nil, &out, errs)
		want := pattern(4000)
		copying := make(chan struct{})
		exit := never(t)
		go func() {
			defer close(copying)
			if s.CopyHere(exit, true) {
				t.Error("CopyHere: exited")
			}
		}()
		c.out.Write(want)
		c.errs.WriteString("some")
		if w.here {
			for stdio.InPipe(int(c.out.Fd())) > 0 { // until CopyHere is there, and waits for more
				runtime.Gosched()
			}
		}
		s.Cut()
		wait(t, "CopyHere", copying)
		over(t, s, ended)
		if !s.Copied() || !bytes.Equal(out.Bytes(), want) || string(errs.Take()) != "some" {
			t.Errorf("%d bytes", out.Len())
		}
		checkClosed(t, c.out)
		checkClosed(t, c.errs)
	})
}

// A cut that comes before Copy, or before CopyHere, is not lost.
func TestCutComesFirst(t *testing.T) {
	bothWays(t, func(t *testing.T, w way) {
		for _, first := range []bool{true, false} {
			var out bytes.Buffer
			s, err := stdio.Open(zeros{}, &out, nil)
			if err != nil {
				t.Fatal(err)
			}
			if first {
				s.Cut()
			}
			ended := make(chan error, 10)
			c := w.play(t, s, func(err error) { ended <- err })
			if !first {
				s.Cut()
			}
			if w.here {
				s.CopyHere(never(t), true) // hands all over
			}
			over(t, s, ended)
			if !s.Copied() {
				t.Error("a goroutine is left")
			}
			checkClosed(t, c.out)
		}
	})
}

// What a Writer got that is slow, what it gets after the cut, and its error then.
func TestCutWhileAWriterWrites(t *testing.T) {
	failed := errors.New("failed")
	for _, fail := range []error{nil, failed} {
		var got []byte
		writing, release := make(chan struct{}), make(chan struct{})
		out := writerFunc(func(b []byte) (int, error) {
			if got = append(got, b...); len(got) == 4 {
				close(writing)
				<-release
				return len(b), nil
			}
			return len(b), fail
		})
		s, c, ended := ways[0].opened(t, nil, out, nil)
		c.out.WriteString("some")
		wait(t, "Write", writing)
		c.out.WriteString("more")
		within(t, "Cut", s.Cut)
		if s.Over() || s.OutputsCopied() {
			t.Error("over, while a Writer writes")
		}
		close(release)
		for !s.Over() {
			runtime.Gosched()
		}
		var err error // has been told
		for len(ended) > 0 {
			if e := <-ended; e != nil {
				err = e
			}
		}
		if string(got) != "somemore" || err != fail {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// Cut does not wait for a Writer that uses the descriptor, and may be called there.
func TestCutWhileDescriptorIsUsed(t *testing.T) {
	var s *stdio.Streams
	ready := make(chan struct{})
	out := readerFrom(func(r io.Reader) (int64, error) {
		conn, err := r.(syscall.Conn).SyscallConn()
		if err != nil {
			return 0, err
		}
		return 0, conn.Control(func(uintptr) { <-ready; s.Cut() })
	})
	s, c, ended := ways[0].opened(t, nil, out, nil)
	c.out.WriteString("some")
	close(ready)
	over(t, s, ended)
	checkClosed(t, c.out)
}

type readerFrom func(io.Reader) (int64, error)

func (f readerFrom) Write(b []byte) (int, error)             { return len(b), nil }
func (f readerFrom) ReadFrom(r io.Reader) (n int64, e error) { return f(r) }

// A write to a Stdin that nobody reads is ended.
func TestCutEndsAWrite(t *testing.T) {
	s, _, ended := ways[0].opened(t, zeros{}, nil, nil)
	within(t, "Cut", s.Cut)
	over(t, s, ended)
	if !s.Copied() {
		t.Error("a goroutine is left")
	}
}

// A Stdin that does not return is waited for a moment, and read no more when it does.
func TestCutOfAStuckReader(t *testing.T) {
	read, release := make(chan struct{}, 10), make(chan struct{})
	in := readerFunc(func(b []byte) (int, error) {
		read <- struct{}{}
		<-release
		return len(b), nil
	})
	s, _, ended := ways[0].opened(t, in, nil, nil)
	wait(t, "Read", read)
	s.Cut()
	if s.Over() {
		t.Error("over at once")
	}
	over(t, s, ended)
	if s.Copied() || !s.OutputsCopied() {
		t.Error("all is copied")
	}
	close(release)
	if err := wait(t, "the copier", ended); err != nil || !s.Copied() {
		t.Error(err)
	}
	if len(read) > 0 {
		t.Error("read again")
	}
}

// A Stdin that writes by itself and does not return is waited for no longer when the cut
// comes first.
func TestCutBeforeAStuckWriterTo(t *testing.T) {
	release := make(chan struct{})
	s, err := stdio.Open(stuckWriterTo{zeros{}, release}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Cut()
	ended := make(chan error, 10)
	ways[0].play(t, s, func(err error) { ended <- err })
	over(t, s, ended)
	close(release)
	for !s.Copied() {
		wait(t, "the copier", ended)
	}
}

type stuckWriterTo struct {
	zeros
	release chan struct{}
}

func (s stuckWriterTo) WriteTo(io.Writer) (int64, error) {
	<-s.release
	return 0, nil
}

// A Reader that returns nothing, for ever, is left alone, however it is wrapped.
func TestCutOfAnIdleReader(t *testing.T) {
	idle := readerFunc(func([]byte) (int, error) { runtime.Gosched(); return 0, nil })
	for name, in := range map[string]io.Reader{
		"Reader":        idle,
		"LimitedReader": io.LimitReader(idle, 10),
		"bufio":         bufio.NewReader(idle),
		"MultiReader":   io.MultiReader(strings.NewReader("x"), idle),
		"Tee":           io.TeeReader(idle, io.Discard),
	} {
		s, _, ended := ways[0].opened(t, in, nil, nil)
		s.Cut()
		for !s.Copied() {
			if err := wait(t, name, ended); err != nil {
				t.Error(name, err)
			}
		}
	}
}

// os.File's short cuts are kept: a socket is spliced and not read.
func TestInputFromASocketIsNotRead(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no splice(2)")
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: t.TempDir() + "/s", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	from, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	for _, limited := range []bool{true, false} {
		in := &countingConn{UnixConn: from}
		var r io.Reader = in
		if limited {
			r = io.LimitReader(in, 4)
		}
		s, c, ended := ways[0].opened(t, r, nil, nil)
		to.Write([]byte("some"))
		if !limited {
			to.Close()
		}
		over(t, s, ended)
		if got, err := io.ReadAll(c.in); string(got) != "some" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if n := in.reads.Load(); n > 0 {
			t.Errorf("read %d times, limited: %v", n, limited)
		}
	}
}

type countingConn struct {
	*net.UnixConn
	reads atomic.Int32
}

func (c *countingConn) Read(b []byte) (int, error) {
	c.reads.Add(1)
	return c.UnixConn.Read(b)
}

// copiesHere is whether CopyHere copies on this system.
var copiesHere bool

// A descendant that holds the pipe does not keep CopyHere; what it writes later is
// copied by goroutines.
func TestCopyHereHandsOver(t *testing.T) {
	w := ways[1]
	r, release, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer release.Close()
	for _, cut := range []bool{true, false} {
		var out bytes.Buffer
		c := helper("hold")
		c.ExtraFiles = []*os.File{r}
		run := w.start(t, c, nil, &out, io.Discard)
		exited := false
		hasPidfd := c.Process.WithHandle(func(uintptr) {}) == nil
		within(t, "CopyHere", func() { exited = run.copyHere() })
		switch {
		case !copiesHere || !hasPidfd:
			c.Wait() // so that it has written
		case !exited:
			t.Error("not exited")
		}
		if run.Over() {
			t.Error("over, while the output is held")
		}
		if cut {
			run.Cut()
		} else {
			release.Close()
		}
		for !run.Copied() {
			if err := wait(t, "the copier", run.ended); err != nil {
				t.Error(err)
			}
		}
		c.Wait()
		if out.String() != "held" {
			t.Errorf("%q", out.String())
		}
	}
}

// StdinPipe's end ends a Write that waits, and waits for nobody.
func TestCloseEnd(t *testing.T) {
	for _, used := range []bool{false, true} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		written := make(chan error)
		go func() {
			_, err := w.Write(make([]byte, 10<<20))
			written <- err
		}()
		release := make(chan struct{})
		if used {
			entered := make(chan struct{})
			conn, err := w.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			go conn.Control(func(uintptr) { close(entered); <-release })
			wait(t, "Control", entered)
		}
		within(t, "CloseEnd", func() { stdio.CloseEnd(w) })
		if err := wait(t, "Write", written); err == nil {
			t.Error("Write: no error")
		}
		if _, err := w.WriteString("x"); err == nil {
			t.Error("a Write after the end succeeds")
		}
		close(release)
		if got, err := io.ReadAll(r); err != nil {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		within(t, "CloseEnd", func() { stdio.CloseEnd(w) })
	}
}
