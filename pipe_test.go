package xexec_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/xexec"
)

func init() {
	registerHelper("write", helperWrite)
}

// pattern returns n bytes, no two parts of which are alike.
func pattern(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		sum := sha256.Sum256(fmt.Append(nil, i))
		b.Write(sum[:])
	}
	return b.Bytes()[:n]
}

// helperWrite writes a pattern of the given size to its output, and another to
// its error output.
func helperWrite(args []string) int {
	os.Stdout.Write(pattern(atoi(args[0])))
	if len(args) > 1 {
		os.Stderr.Write(pattern(atoi(args[1])))
	}
	return 0
}

// A reader that races Wait gets every byte and then io.EOF, whoever is first.
func TestPipesLoseNothing(t *testing.T) {
	deadline(t, 2*stuck)
	size := 60_000
	if runtime.GOOS != "linux" {
		size = 3000 // what fits in a pipe, for a command that nobody reads from
	}
	want := pattern(size)
	check := func(t *testing.T, what string, r io.Reader) {
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes and %v, want %d and none", what, len(got), err, size)
		}
	}
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	for round := range rounds {
		c := helperCmd(t, "write", fmt.Sprint(size), fmt.Sprint(size))
		stdout, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		stderr, err := c.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		var readers sync.WaitGroup
		switch round % 4 {
		case 0: // beside the reader
			readers.Go(func() { check(t, "StdoutPipe beside Wait", stdout) })
			readers.Go(func() { check(t, "StderrPipe beside Wait", stderr) })
		case 1: // a reader that had to wait first, through WriteTo
			readers.Go(func() {
				var b bytes.Buffer
				io.Copy(&b, stdout)
				check(t, "StdoutPipe with io.Copy", &b)
			})
			readers.Go(func() { check(t, "StderrPipe by single bytes", oneByte{stderr}) })
		case 2: // several readers of one pipe
			var b bytes.Buffer
			var mu sync.Mutex
			for range 3 {
				readers.Go(func() {
					mu.Lock()
					defer mu.Unlock()
					io.CopyN(&b, stdout, int64(size/3))
				})
			}
			defer func() { check(t, "StdoutPipe with three readers", &b) }()
		}
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		readers.Wait()
		if round%4 == 3 { // before the reader
			check(t, "StdoutPipe after Wait", stdout)
			check(t, "StderrPipe after Wait", stderr)
		}
		if _, err := stdout.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("Read at the end: %v, want io.EOF", err)
		}
		if err := stdout.Close(); err != nil {
			t.Errorf("Close after Wait: %v", err)
		}
		if _, err := stdout.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Read after Close: %v, want os.ErrClosed", err)
		}
	}
}

// oneByte reads one byte at a time.
type oneByte struct{ io.Reader }

func (r oneByte) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(len(b), 1)]) }

// A descendant that keeps the pipe open holds up neither Wait nor, once that
// has returned, a reader, whether it was reading or comes later.
func TestHeldPipeDoesNotHoldUpWait(t *testing.T) {
	for _, when := range []string{"beside", "after"} {
		t.Run(when, func(t *testing.T) {
			deadline(t, stuck)
			c := helperCmd(t, "hold", holderAddr(t), "say", "o:last words")
			r, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			var got []byte
			var readers sync.WaitGroup
			read := func() {
				var err error
				if got, err = io.ReadAll(r); err != nil {
					t.Error(err)
				}
			}
			if when == "beside" {
				readers.Go(read)
			}
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
			if when == "after" {
				read()
			}
			readers.Wait()
			if string(got) != "last words" {
				t.Errorf("read %q", got)
			}
		})
	}
}

func TestPipeReaderDeadlineAndClose(t *testing.T) {
	deadline(t, stuck)
	c := helperCmd(t, "serve", "0")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, err := r.Read(b); err != nil || string(b[:n]) != "ready\n" {
		t.Fatalf("Read: %q, %v", b[:n], err)
	}
	f := r.(interface{ SetReadDeadline(time.Time) error })
	if err := f.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); errors.Is(err, os.ErrNoDeadline) {
		t.Log("no deadlines here")
	} else if _, err := r.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read past its deadline: %v", err)
	}
	// The caller's deadline does not keep what was left from being read.
	stdin.Close()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(b); err != io.EOF {
		t.Errorf("Read after Wait: %v, want io.EOF", err)
	}

	c, _ = pipedCommand(t)
	r, _ = c.StderrPipe()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan error)
	go func() {
		_, err := r.Read(b)
		read <- err
	}()
	r.Close()
	if err := <-read; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read of a pipe that is closed: %v", err)
	}
	if err := r.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
	c.Kill()
	c.Wait()
}

func pipedCommand(t *testing.T) (*xexec.Cmd, io.WriteCloser) {
	c := helperCmd(t, "serve", "0")
	w, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	return c, w
}

// The output of one command is the input of the next, whichever of them is
// waited for first; a command that is started after the other was waited for
// gets what was left of it.
func TestPipeline(t *testing.T) {
	deadline(t, stuck)
	const size = 300_000
	want := pattern(size)
	for range 10 {
		c1 := helperCmd(t, "write", fmt.Sprint(size))
		c2 := helperCmd(t, "cat")
		r, err := c1.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		c2.Stdin, c2.Stdout = r, &out
		if err := c1.Start(); err != nil {
			t.Fatal(err)
		}
		if err := c2.Start(); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*xexec.Cmd{c1, c2} {
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%d bytes came through, want %d", out.Len(), size)
		}
	}

	c1 := helperCmd(t, "say", "o:left over")
	r, err := c1.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c1.Run(); err != nil {
		t.Fatal(err)
	}
	c2 := helperCmd(t, "cat")
	c2.Stdin = r
	if out, err := c2.Output(); err != nil || string(out) != "left over" {
		t.Errorf("a command started later read %q, %v", out, err)
	}
}

// A start that fails closes the pipes that were made for it, as in os/exec, and
// gives a pipe that it was lent back as it was.
func TestFailedStartAndPipes(t *testing.T) {
	deadline(t, stuck)
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

	c = helperCmd(t, "say", "o:"+strings.Repeat("x", 1000))
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
	deadline(t, stuck)
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
