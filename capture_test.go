package xexec_test

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
)

func init() {
	registerHelper("numbered", helperNumbered)
}

// helperNumbered writes as many bytes as it is told, each of which depends on its
// place, to its output and, in an own order, to its error output.
func helperNumbered(args []string) int {
	os.Stdout.Write(numbered(atoi(args[0])))
	os.Stderr.Write(numbered(atoi(args[1])))
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
	both(t, func(t *testing.T, p execPackage) {
		for _, n := range sizes {
			out, err := p.helper(t, "numbered", strconv.Itoa(n), "100000").Output()
			if !bytes.Equal(out, numbered(n)) {
				t.Errorf("Output of %d bytes has %d, and not the same", n, len(out))
			}
			exit := fmt.Sprintf("%T", err)
			if exit != "*exec.ExitError" {
				t.Errorf("Output: %v", err)
			}
			out, _ = p.helper(t, "numbered", strconv.Itoa(n), "1000").CombinedOutput()
			if !bytes.Equal(out, append(numbered(n), numbered(1000)...)) {
				t.Errorf("CombinedOutput of %d bytes has %d, and not the same", n+1000, len(out))
			}
		}
	})
}

// A caller's writer gets all, in order, however large.
func TestWriterOfLargeOutput(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, p execPackage) {
		const n = 6<<20 + 5
		var out, errOut writeOnly
		c := p.helper(t, "numbered", strconv.Itoa(n), strconv.Itoa(n))
		c.std().Stdout, c.std().Stderr = &out, &errOut
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
