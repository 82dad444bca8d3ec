package stdio_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"example.com/xexec/internal/stdio"
)

// Where pieces are filled, added and joined, no byte is lost or moved.
func TestCaptureOfAnySize(t *testing.T) {
	sizes := []int{1, 511, 512, 513}
	for _, edge := range []int{16 << 10, 32<<10 + 256<<10, 32<<10 + 2*256<<10, 4 << 20, 8 << 20, 9<<20 + 7} {
		sizes = append(sizes, edge-1, edge, edge+1)
	}
	all := pattern(10 << 20)
	for _, n := range sizes {
		c := stdio.NewCapture(0, nil)
		if read, err := c.ReadFrom(bytes.NewReader(all[:n])); read != int64(n) || err != nil {
			t.Errorf("ReadFrom: %d, %v", read, err)
		}
		if got := c.Take(); !bytes.Equal(got, all[:n]) {
			t.Errorf("%d of %d bytes, or not the same", len(got), n)
		}
		for rest := all[:n]; len(rest) > 0; {
			some := min(len(rest), rand.IntN(100_000)+1)
			if m, err := c.Write(rest[:some]); m != some || err != nil {
				t.Errorf("Write: %d, %v", m, err)
			}
			rest = rest[some:]
		}
		if got := c.Take(); !bytes.Equal(got, all[:n]) {
			t.Errorf("written: %d of %d bytes, or not the same", len(got), n)
		}
	}
}

// What is taken is the taker's: pieces that are used again do not show through.
func TestCaptureTakesACopy(t *testing.T) {
	c := stdio.NewCapture(0, nil)
	c.Write([]byte("first"))
	first := c.Take()
	c.Write([]byte("again"))
	if again := c.Take(); string(first) != "first" || string(again) != "again" {
		t.Errorf("%q, %q", first, again)
	}
}

// No output is an empty slice, as a bytes.Buffer that was read into has; that of a
// command that was not started is nil.
func TestCaptureOfNothing(t *testing.T) {
	c := stdio.NewCapture(0, nil)
	if got := c.Take(); got != nil {
		t.Errorf("%v", got)
	}
	bothWays(t, func(t *testing.T, w way) {
		c, b := stdio.NewCapture(0, nil), new(bytes.Buffer)
		r := w.start(t, helper("nothing"), nil, c, b)
		r.wait(t, w)
		r.c.Wait()
		if got := c.Take(); got == nil || len(got) > 0 {
			t.Errorf("Capture: %v", got)
		}
		if got := b.Bytes(); got == nil || len(got) > 0 {
			t.Errorf("Buffer: %v", got)
		}
	})
}

// A limit keeps that much and no more, and tells when there is more, once.
func TestCaptureLimit(t *testing.T) {
	all := pattern(1 << 20)
	for _, limit := range []int{1, 10, 16 << 10, 32<<10 + 1, 500_000} {
		for _, n := range []int{limit - 1, limit, limit + 1, 2 * limit} {
			for i, r := range []io.Reader{bytes.NewReader(all[:n]), iotest.OneByteReader(bytes.NewReader(all[:n]))} {
				if i == 1 && n > 50_000 {
					continue
				}
				told := 0
				c := stdio.NewCapture(int64(limit), func() { told++ })
				_, err := c.ReadFrom(r)
				c2 := stdio.NewCapture(int64(limit), func() { told++ })
				m, err2 := c2.Write(all[:n])
				over := n > limit
				if want := map[bool]int{true: 2}[over]; told != want {
					t.Errorf("%d of at most %d: told %d times", n, limit, told)
				}
				if over != (err == stdio.ErrLimit) || over != (err2 == stdio.ErrLimit) {
					t.Errorf("%d of at most %d: %v, %v", n, limit, err, err2)
				}
				if want := min(n, limit); m != want {
					t.Errorf("Write: %d, want %d", m, want)
				}
				c.Write([]byte("more"))
				if over {
					if got := c.Take(); !bytes.Equal(got, all[:limit]) {
						t.Errorf("%d of at most %d: has %d", n, limit, len(got))
					}
				}
				if told > 2 && over {
					t.Error("told again")
				}
			}
		}
	}
}

// A command that writes more than the limit is told by the end of its pipe, and the
// other output goes on.
func TestLimitEndsTheCopying(t *testing.T) {
	bothWays(t, func(t *testing.T, w way) {
		told := make(chan struct{}, 2)
		c := stdio.NewCapture(1000, func() { told <- struct{}{} })
		r := w.start(t, helper("1000000"), nil, c, io.Discard)
		errs := r.wait(t, w)
		wait(t, "over", told)
		if len(errs) != 1 || errs[0] != stdio.ErrLimit {
			t.Error(errs)
		}
		r.c.Wait() // it would wait for ever if the pipe were open and nobody read
		if got := c.Take(); !bytes.Equal(got, pattern(1000)) {
			t.Errorf("%d bytes", len(got))
		}
	})
}

// A PrefixSuffix keeps what os/exec keeps of an error output, however it comes.
func TestPrefixSuffix(t *testing.T) {
	const keep = 32 << 10
	for _, n := range []int{0, 1, keep - 1, keep, keep + 1, 2 * keep, 2*keep + 1, 3*keep + 5, 500_000} {
		all := pattern(n)
		want := string(all)
		if n > 2*keep {
			want = fmt.Sprintf("%s\n... omitting %d bytes ...\n%s", all[:keep], n-2*keep, all[n-keep:])
		}
		for _, most := range []int{1, 700, keep, 1 << 20} {
			if most == 1 && n > 3*keep {
				continue
			}
			var s stdio.PrefixSuffix
			for rest := all; len(rest) > 0; rest = rest[min(len(rest), most):] {
				s.Write(rest[:min(len(rest), most)])
			}
			if got := string(s.Bytes()); got != want {
				t.Errorf("%d bytes, %d at a time: has %d, want %d", n, most, len(got), len(want))
			}
		}
	}
}
