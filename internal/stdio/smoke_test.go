package stdio_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"example.com/xexec/internal/stdio"
)

func TestSmoke(t *testing.T) {
	var out, errs bytes.Buffer
	s, err := stdio.Open(strings.NewReader("hello"), &out, &errs)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-c", "cat; echo err >&2")
	c.Stdin, c.Stdout, c.Stderr = s.Stdin, s.Stdout, s.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s.Started()
	ch := make(chan error, 3)
	s.Copy(func(err error) { ch <- err })
	for range 3 {
		if err := <-ch; err != nil {
			t.Error(err)
		}
	}
	c.Wait()
	if out.String() != "hello" || errs.String() != "err\n" {
		t.Error(out.String(), errs.String())
	}
}

func TestSmokeReader(t *testing.T) {
	pr, pw, _ := os.Pipe()
	r := stdio.NewReader(pr)
	got := make(chan string)
	go func() { b, err := io.ReadAll(r); t.Log(err); got <- string(b) }()
	pw.WriteString("abc")
	r.End().Close()
	if s := <-got; s != "abc" {
		t.Error(s)
	}
	pw.Close()
}
