package stdio_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"testing"

	"example.com/xexec/internal/stdio"
)

// The ways of copying beside each other, and os/exec's. A command is as cheap as one can
// be: set STDIO_BENCH to a static program that takes a number of bytes to write, else
// it is the shell.
func BenchmarkOutput(b *testing.B) {
	for _, size := range []string{"10", "65536", "1048576"} {
		b.Run(size, func(b *testing.B) {
			command := func() *exec.Cmd {
				if prog := os.Getenv("STDIO_BENCH"); prog != "" {
					return exec.Command(prog, size)
				}
				return exec.Command("/bin/sh", "-c", "head -c "+size+" /dev/zero")
			}
			turns := map[string]func(){
				"osexec": func() {
					if _, err := command().Output(); err != nil {
						b.Fatal(err)
					}
				},
			}
			for _, w := range ways {
				turns[w.name] = func() { benchOutput(b, w, command(), nil) }
			}
			alternate(b, turns)
		})
	}
}

func BenchmarkSmallInput(b *testing.B) {
	in := make([]byte, 100)
	command := func() *exec.Cmd { return exec.Command("/bin/cat") }
	turns := map[string]func(){
		"osexec": func() {
			c := command()
			c.Stdin = bytes.NewReader(in)
			if _, err := c.Output(); err != nil {
				b.Fatal(err)
			}
		},
	}
	for _, w := range ways {
		turns[w.name] = func() { benchOutput(b, w, command(), bytes.NewReader(in)) }
	}
	alternate(b, turns)
}

// What is handed over costs what it would have cost a goroutine from the start, and what
// CopyHere has done in vain.
func BenchmarkHandedOver(b *testing.B) {
	turns := make(map[string]func())
	for _, w := range ways {
		turns[w.name] = func() { benchOutput(b, w, exec.Command("/bin/sh", "-c", "sleep 0.005 & echo"), nil) }
	}
	alternate(b, turns)
}

func benchOutput(b *testing.B, w way, c *exec.Cmd, in io.Reader) {
	out, errs := stdio.NewCapture(0, nil), new(stdio.PrefixSuffix)
	s, err := stdio.Open(in, out, errs)
	if err != nil {
		b.Fatal(err)
	}
	c.Stdin, c.Stdout, c.Stderr = s.Stdin, s.Stdout, s.Stderr
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	s.Started()
	ended := make(chan error, 3)
	s.Copy(func(err error) { ended <- err }, w.here)
	if w.here {
		c.Process.WithHandle(func(fd uintptr) { s.CopyHere(int(fd), false) })
	}
	if err := c.Wait(); err != nil {
		b.Fatal(err)
	}
	for !s.Over() {
		<-ended
	}
	out.Take()
}
