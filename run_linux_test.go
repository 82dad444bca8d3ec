package xexec_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// A pipe whose writer has set O_DIRECT is one of packets: a read returns one, and loses
// of that what there is no room for.
func TestPackets(t *testing.T) {
	testkit.NeedProgram(t, "dd")
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		command := func(size, count int) xtest.Command {
			return p.Command("dd", "if=/dev/zero", "oflag=direct", "status=none", fmt.Sprint("bs=", size), fmt.Sprint("count=", count))
		}
		check := func(what string, got, want int) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %d bytes of %d", what, got, want)
			}
		}
		out, _ := command(512, 5).Output()
		check("few, Output", len(out), 5*512)
		out, _ = command(500, 40).Output()
		check("Output", len(out), 40*500)
		out, _ = command(500, 40).CombinedOutput()
		check("CombinedOutput", len(out), 40*500)

		var buffer bytes.Buffer
		c := command(512, 40)
		c.Std().Stdout = &buffer
		c.Run()
		check("Buffer", buffer.Len(), 40*512)
		var builder strings.Builder
		c = command(4096, 40)
		c.Std().Stdout = &builder
		c.Run()
		check("Builder", builder.Len(), 40*4096)

		_, err := p.Command("sh", "-c", "dd if=/dev/zero oflag=direct status=none bs=4096 count=3 >&2; exit 1").Output()
		var exit *xexec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
		check("ExitError.Stderr", len(exit.Stderr), 3*4096)
	})
}

// A Writer's own timeout is no end of the copying that a tree's end brings.
func TestTimeoutOfAWriterWhenTheTreeIsOver(t *testing.T) {
	run := func(t *testing.T, c xtest.Command) {
		ours, peer := net.Pipe() // nobody reads
		defer peer.Close()
		ours.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		c.Std().Stdout = ours
		if err := c.Run(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Run: %v", err)
		}
	}
	xtest.Both(t, func(t *testing.T, p xtest.Package) { run(t, p.Command("echo", "lost")) })
	c := xexec.Command("echo", "lost")
	c.SetTree(true)
	run(t, xtest.X.From(c.Std()))
}

// Somebody else reads from a duplicate of the descriptor what was to be taken when the
// command is over, while a daemon holds the pipe.
func TestAnotherReaderOfThePipe(t *testing.T) {
	var reads sync.WaitGroup
	t.Cleanup(reads.Wait) // after the holder's end
	addr := testkit.HolderAddr(t)
	for range 30 { // each may leave a thread in read(2)
		c := xtest.Helper(t, "hold", addr, "say", "o:"+strings.Repeat("x", 60_000))
		r, err := c.StdoutPipe()
		if err := errors.Join(err, c.Start()); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Dup(int(r.(interface{ Fd() uintptr }).Fd()))
		if err != nil {
			t.Fatal(err)
		}
		for c.Signal(syscall.Signal(0)) == nil {
			time.Sleep(100 * time.Microsecond)
		}
		reads.Go(func() {
			unix.Read(fd, make([]byte, 1<<16))
			unix.Close(fd)
		})
		waited := make(chan error, 1)
		go func() { waited <- c.Wait() }()
		select {
		case err := <-waited:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(testkit.Stuck / 4):
			t.Fatal("Wait hangs")
		}
		r.Close()
	}
}
