package xexec_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() {
	testkit.Register("numbered", helperNumbered)
	testkit.Register("pipesize", helperPipeSize)
	testkit.Register("write", helperWrite)
}

// helperPipeSize writes so many bytes to its output, and then to its error output how
// much the pipe holds that is its output.
func helperPipeSize(args []string) int {
	os.Stdout.Write(numbered(testkit.Atoi(args[0])))
	fmt.Fprintln(os.Stderr, testkit.PipeSize(os.Stdout))
	return 0
}

// Only a stream that proves to be large gets a large pipe.
func TestPipeIsEnlargedForLargeOutput(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	sizes := make(map[int]int)
	for _, n := range []int{10, 10_000, 5 << 20} {
		c := xtest.Helper(t, "pipesize", strconv.Itoa(n))
		var report bytes.Buffer
		c.Stderr = &report
		if out, err := c.Output(); !bytes.Equal(out, numbered(n)) || err != nil {
			t.Errorf("%d of %d bytes, or not the same; %v", len(out), n, err)
		}
		sizes[n] = testkit.Atoi(strings.TrimSpace(report.String()))
	}
	if sizes[10] == 0 {
		testkit.Lack(t, "the size of a pipe cannot be asked for")
	}
	if sizes[10_000] != sizes[10] || sizes[5<<20] <= sizes[10] {
		t.Errorf("by the size of the output, pipes hold %v", sizes)
	}
}

// What a large output was collected in is not kept.
func TestLargeOutputIsGivenBack(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("the race detector keeps what pools have")
	}
	testkit.Deadline(t, 2*testkit.Stuck)
	if _, err := os.Stat("/proc/self/statm"); err != nil {
		testkit.Lack(t, err)
	}
	const n = 16 << 20
	one := numbered(n)
	collect := func() {
		if got, _ := xtest.Helper(t, "numbered", strconv.Itoa(n), "0").Output(); !bytes.Equal(got, one) {
			t.Fatalf("%d of %d bytes, or not the same", len(got), n)
		}
	}
	collect()
	before := dataSize(t)
	rounds := 0
	for end := time.Now().Add(testkit.Stuck / 8); rounds < 10 || testkit.Long() && rounds < 60 && time.Now().Before(end); rounds++ {
		collect()
	}
	runtime.GC()
	if grown := dataSize(t) - before; grown > n*rounds/2 {
		t.Errorf("%d MB more are mapped after %d times %d MB", grown>>20, rounds, n>>20)
	}
}

// dataSize returns the size of this process's data, mapped or on the heap.
func dataSize(t testing.TB) int {
	t.Helper()
	var size, resident, shared, text, lib, data int
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(b), &size, &resident, &shared, &text, &lib, &data); err != nil {
		t.Fatal(err)
	}
	return data * os.Getpagesize()
}

// helperNumbered writes as many bytes as it is told, each of which depends on its
// place, to its output and, in an own order, to its error output.
func helperNumbered(args []string) int {
	os.Stdout.Write(numbered(testkit.Atoi(args[0])))
	os.Stderr.Write(numbered(testkit.Atoi(args[1])))
	return 3
}

func numbered(n int) []byte {
	b := make([]byte, 0, n+20)
	for i := 0; len(b) < n; i++ {
		b = strconv.AppendInt(append(b, ' '), int64(i), 10)
	}
	return b[:n]
}

// Where the memory for the output is enlarged, moved and joined, no byte is lost.
func TestOutputOfAnySize(t *testing.T) {
	t.Parallel()
	sizes := []int{
		0, 1, 511, 512, 513, 1535, 1536, 1537, 64 << 10,
		1<<20 - 513, 1<<20 - 512, 1<<20 - 511, 1<<20 - 1, 1 << 20, 1<<20 + 1,
		5<<20 - 512, 5 << 20, 5<<20 + 1, 9<<20 + 7,
	}
	if testing.Short() {
		sizes = []int{0, 513, 1 << 20, 5<<20 + 1}
	}
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		for _, n := range sizes {
			out, err := p.Helper(t, "numbered", strconv.Itoa(n), "100000").Output()
			if !bytes.Equal(out, numbered(n)) {
				t.Errorf("Output of %d bytes has %d, and not the same", n, len(out))
			}
			exit := fmt.Sprintf("%T", err)
			if exit != "*exec.ExitError" {
				t.Errorf("Output: %v", err)
			}
			out, _ = p.Helper(t, "numbered", strconv.Itoa(n), "1000").CombinedOutput()
			if !bytes.Equal(out, append(numbered(n), numbered(1000)...)) {
				t.Errorf("CombinedOutput of %d bytes has %d, and not the same", n+1000, len(out))
			}
		}
	})
}

// A caller's writer gets all, in order, however large.
func TestWriterOfLargeOutput(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		const n = 6<<20 + 5
		var out, errOut writeOnly
		c := p.Helper(t, "numbered", strconv.Itoa(n), strconv.Itoa(n))
		c.Std().Stdout, c.Std().Stderr = &out, &errOut
		if err := c.Run(); err == nil {
			t.Error("Run: no error")
		}
		if want := numbered(n); !bytes.Equal(out, want) || !bytes.Equal(errOut, want) {
			t.Errorf("%d and %d of %d bytes, or not the same", len(out), len(errOut), n)
		}
	})
}

type writeOnly []byte

func (w *writeOnly) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
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
	os.Stdout.Write(pattern(testkit.Atoi(args[0])))
	if len(args) > 1 {
		os.Stderr.Write(pattern(testkit.Atoi(args[1])))
	}
	return 0
}

// A reader that races Wait gets every byte and then io.EOF, whoever is first.
func TestPipesLoseNothing(t *testing.T) {
	testkit.Deadline(t, 2*testkit.Stuck)
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
	rounds := 60
	if testing.Short() {
		rounds = 20
	} else if testkit.Long() {
		rounds = 200
	}
	for round := range rounds {
		c := xtest.Helper(t, "write", fmt.Sprint(size), fmt.Sprint(size))
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
			testkit.Deadline(t, testkit.Stuck)
			c := xtest.Helper(t, "hold", testkit.HolderAddr(t), "say", "o:last words")
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
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.Helper(t, "serve", "0")
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
	c := xtest.Helper(t, "serve", "0")
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
	testkit.Deadline(t, testkit.Stuck)
	const size = 300_000
	want := pattern(size)
	for range 10 {
		c1 := xtest.Helper(t, "write", fmt.Sprint(size))
		c2 := xtest.Helper(t, "cat")
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

	c1 := xtest.Helper(t, "say", "o:left over")
	r, err := c1.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c1.Run(); err != nil {
		t.Fatal(err)
	}
	c2 := xtest.Helper(t, "cat")
	c2.Stdin = r
	if out, err := c2.Output(); err != nil || string(out) != "left over" {
		t.Errorf("a command started later read %q, %v", out, err)
	}
}

// Output is not lost to a descriptor in blocking mode, where a reader cannot be
// made to stop: it takes the rest itself.
func TestBlockingPipeLosesNothing(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	const size = 3000
	for range 40 {
		c := xtest.Helper(t, "write", "3000")
		r, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		r.(interface{ Fd() uintptr }).Fd()
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		got := make(chan int)
		go func() {
			n, err := io.Copy(io.Discard, struct{ io.Reader }{oneByte{r}})
			if err != nil {
				t.Error(err)
			}
			got <- int(n)
		}()
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		if n := <-got; n != size {
			t.Errorf("read %d bytes, want %d", n, size)
		}
	}
}

// What ends a Read that waits on a pipe of os/exec's is its close, as there: when the
// command is over, and when WaitDelay is and nobody waits.
func TestReadOfOsExecsPipeEndsWithItsClose(t *testing.T) {
	for _, when := range []string{"Wait", "WaitDelay"} {
		t.Run(when, func(t *testing.T) {
			xtest.Both(t, func(t *testing.T, p xtest.Package) {
				if runtime.GOOS == "windows" && p.Name == xtest.Std.Name {
					t.Skip("File.Close cancels once, and waits for a ReadFile that begins just after")
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				c := p.HelperContext(ctx, t, "hold", testkit.HolderAddr(t), "serve", "0")
				if when == "WaitDelay" {
					c.Std().WaitDelay = time.Millisecond
					c.Std().Stderr = new(bytes.Buffer) // os/exec then has a goroutine that closes
				}
				stdin, err1 := c.StdinPipe()
				stdout, err2 := c.Std().StdoutPipe()
				if err := errors.Join(err1, err2, c.Start()); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(stdout, make([]byte, len("ready\n"))); err != nil {
					t.Fatal(err)
				}
				read := make(chan error)
				go func() {
					_, err := stdout.Read(make([]byte, 1))
					read <- err
				}()
				if when == "WaitDelay" {
					cancel()
				} else {
					stdin.Close()
					c.Wait()
				}
				if err := <-read; !errors.Is(err, os.ErrClosed) {
					t.Errorf("Read: %v", err)
				}
				c.Wait()
			})
		})
	}
}

// WaitDelay ends the use of every pipe, though a descendant holds it open and nobody
// waits, and loses nothing of what was in it.
func TestWaitDelayEndsEveryPipeThoughNobodyWaits(t *testing.T) {
	const size = 60_000
	if runtime.GOOS != "linux" {
		t.Skip("a pipe may not hold it all")
	}
	for _, whose := range []string{"own", "bound"} {
		for name, cancel := range map[string]func() error{
			"killed": nil,
			"asked":  func() error { return nil },
			"failed": func() error { return testkit.ErrBroken },
			"gone":   func() error { runtime.Goexit(); return nil },
		} {
			t.Run(whose+", "+name, func(t *testing.T) {
				testkit.Deadline(t, testkit.Stuck)
				ctx, end := context.WithCancel(t.Context())
				defer end()
				c := xtest.Helper(t, "hold", testkit.HolderAddr(t), "write", fmt.Sprint(size), fmt.Sprint(size))
				if whose == "own" {
					d := xtest.HelperContext(ctx, t, "exit")
					d.Args = c.Args
					c = d
				}
				if cancel != nil {
					c.Cancel = cancel
				}
				c.WaitDelay = time.Millisecond
				stdin, err1 := c.StdinPipe()
				stdout, err2 := c.StdoutPipe()
				stderr, err3 := c.Std().StderrPipe()
				if err := errors.Join(err1, err2, err3); err != nil {
					t.Fatal(err)
				}
				start := c.Start
				if whose == "bound" {
					start = func() error { return c.StartContext(ctx) }
				}
				if err := start(); err != nil {
					t.Fatal(err)
				}
				want := pattern(size)
				if b := make([]byte, size); second(io.ReadFull(stderr, b)) != nil || !bytes.Equal(b, want) {
					t.Error("the error output has not come")
				}
				for c.Signal(nil) != os.ErrProcessDone { // it has written all
					time.Sleep(time.Millisecond)
				}
				end()
				if _, err := stderr.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
					t.Errorf("Read of os/exec's pipe: %v", err)
				}
				if b, err := io.ReadAll(stdout); err != nil || !bytes.Equal(b, want) {
					t.Errorf("%d bytes, %v, want %d", len(b), err, size)
				}
				if _, err := stdin.Write([]byte("x")); err == nil {
					t.Error("Write: no error")
				}
				c.Wait()
			})
		}
	}
}

// The same for a Writer, which gets what there is.
func TestWaitDelayEndsTheCopyingThoughNobodyWaits(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	ctx, end := context.WithCancel(t.Context())
	c := xtest.HelperContext(ctx, t, "hold", testkit.HolderAddr(t), "serve", "0")
	c.WaitDelay = time.Millisecond
	in, silent := io.Pipe()
	defer silent.Close()
	c.Stdin = in
	out := &closingWriter{ReadyWriter: testkit.NewReadyWriter(), over: make(chan struct{})}
	c.Stdout = out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	<-out.Ready
	end()
	<-out.over
	if out.String() != "ready\n" {
		t.Errorf("the Writer got %q", out)
	}
	if err := c.Wait(); err == nil {
		t.Error("Wait: no error")
	}
}

// A closingWriter tells when nothing more comes.
type closingWriter struct {
	*testkit.ReadyWriter
	over chan struct{}
}

func (w *closingWriter) ReadFrom(r io.Reader) (int64, error) {
	defer close(w.over)
	return io.Copy(w.ReadyWriter, r)
}
