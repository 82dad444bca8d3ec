package stdio_test

import (
	"bytes"
	"io"
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
