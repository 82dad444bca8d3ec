package stdio_test

import (
	"bytes"
	"io"
	"runtime"
	"testing"
	"time"

	"example.com/xexec/internal/stdio"
)

func init() { copiesHere = true }

// Somebody else who reads the pipe takes what poll(2) has told of: that is not waited
// for, and not an error.
func TestSomebodyElseReadsThePipe(t *testing.T) {
	s, err := stdio.Open(nil, new(bytes.Buffer), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Abort()
	stuck := time.AfterFunc(5*time.Second, func() { s.Stdout.Write([]byte("at last")) })
	if n, err := stdio.ReadHere(s); n != 0 || err != io.EOF {
		t.Errorf("%d bytes, %v", n, err)
	}
	if !stuck.Stop() {
		t.Error("it waited")
	}
}

// With one processor, whoever copies Stdin has it only if CopyHere leaves its own work to
// goroutines.
func TestOneProcessorIsNotKept(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var out bytes.Buffer
	in, input := io.Pipe()
	s, c, ended := way{here: true}.opened(t, in, &out, nil)
	copying := make(chan struct{})
	go func() {
		defer close(copying)
		s.CopyHere(never(t), true)
	}()
	wait(t, "CopyHere", copying)
	c.out.WriteString("something")
	c.out.Close()
	input.Close()
	over(t, s, ended)
	if out.String() != "something" {
		t.Errorf("%q", out.String())
	}
}
