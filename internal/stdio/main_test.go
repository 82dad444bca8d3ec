package stdio_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"example.com/xexec/internal/stdio"
)

// stuck is when something that should have come is given up.
const stuck = 20 * time.Second

// TestMain makes the test binary its own helper command.
func TestMain(m *testing.M) {
	switch arg := os.Getenv("STDIO_HELPER"); arg {
	case "":
		os.Exit(m.Run())
	case "cat":
		io.Copy(os.Stdout, os.Stdin)
	case "both": // to both outputs by turns, then what it has read
		for range 100 {
			os.Stdout.WriteString("out ")
			os.Stderr.WriteString("err ")
		}
		io.Copy(os.Stdout, os.Stdin)
	case "nothing":
	case "hold": // leaves a process that keeps the files until its ExtraFiles[0] ends
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "STDIO_HELPER=wait")
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		c.ExtraFiles = []*os.File{os.NewFile(3, "release")}
		if err := c.Start(); err != nil {
			panic(err)
		}
		os.Stdout.WriteString("held")
	case "wait":
		io.Copy(io.Discard, os.NewFile(3, "release"))
	default:
		n, err := strconv.Atoi(arg)
		if err != nil {
			panic(err)
		}
		os.Stdout.Write(pattern(n))
	}
}

func helper(arg string) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "STDIO_HELPER="+arg, "GORACE=atexit_sleep_ms=0")
	return c
}

// pattern returns n bytes, each of which depends on its place.
func pattern(n int) []byte {
	b := make([]byte, 0, n+20)
	for i := 0; len(b) < n; i++ {
		b = strconv.AppendInt(append(b, ' '), int64(i), 10)
	}
	return b[:n]
}

// within fails the test, with all stacks, if do does not return in time.
func within(t testing.TB, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	wait(t, what, done)
}

// wait waits for a channel to be closed, or to have something.
func wait[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(stuck):
		panic(what + " is stuck")
	}
	return v
}

// A reading is a goroutine that reads to the end.
type reading struct {
	done chan struct{}
	got  []byte
	err  error
}

func readAll(r io.Reader) *reading {
	g := &reading{done: make(chan struct{})}
	go func() {
		defer close(g.done)
		g.got, g.err = io.ReadAll(r)
	}()
	return g
}

func (g *reading) check(t testing.TB, want []byte) {
	t.Helper()
	wait(t, "a reader", g.done)
	if g.err != nil || !bytes.Equal(g.got, want) {
		t.Errorf("read %d bytes, %v; want %d", len(g.got), g.err, len(want))
	}
}

func newPipe(t testing.TB) (*stdio.Reader, *os.File) {
	t.Helper()
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pr.Close(); pw.Close() })
	return stdio.NewReader(pr), pw
}

func isClosed(err error) bool { return errors.Is(err, os.ErrClosed) }
