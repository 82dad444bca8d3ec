package stdio_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"example.com/xexec/internal/stdio"
)

// alternate runs the turns one after the other, in a new order each time, and reports
// the median of each, so that whatever else the machine does meets all.
func alternate(b *testing.B, turns map[string]func()) {
	names := make([]string, 0, len(turns))
	took := make(map[string][]float64)
	for name := range turns {
		names = append(names, name)
	}
	for b.Loop() {
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, name := range names {
			began := time.Now()
			turns[name]()
			took[name] = append(took[name], float64(time.Since(began).Microseconds()))
		}
	}
	for name, t := range took {
		slices.Sort(t)
		b.ReportMetric(t[len(t)/2], name+"-us")
	}
	b.ReportMetric(0, "ns/op") // of all turns together it says nothing
}

func BenchmarkCapture(b *testing.B) {
	for _, size := range []int{10, 64 << 10, 1 << 20, 32 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				c := stdio.NewCapture(0, nil)
				c.ReadFrom(io.LimitReader(zeros{}, int64(size)))
				c.Take()
			}
		})
	}
}
