package beside

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

type big struct{ _ [64]byte }

func TestOneValueForEachStruct(t *testing.T) {
	var m Map[big, int]
	a, b := new(big), new(big)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if first := m.Of(a); first != m.Of(a) || first == m.Of(b) {
				t.Error("not one for each")
			}
		})
	}
	all.Wait()
	if n := m.Len(); n != 2 {
		t.Errorf("%d values for 2 structs", n)
	}
	runtime.KeepAlive(a)
	runtime.KeepAlive(b)
}

func TestValueGoesWithItsStruct(t *testing.T) {
	var m Map[big, int]
	for range 1000 {
		m.Of(new(big))
	}
	for end := time.Now().Add(5 * time.Second); m.Len() > 0; runtime.GC() {
		if time.Now().After(end) {
			t.Fatalf("%d values are left of 1000", m.Len())
		}
	}
}
