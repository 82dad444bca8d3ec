// Package beside keeps values for which a struct has no room, beside the struct:
// for each at most one, from when it is first asked for until the struct is
// collected.
package beside

import (
	"runtime"
	"sync"
	"weak"
)

// A Map has a V for each T that was asked for. The zero Map is empty. A V must not
// lead to its T, which would then stay for ever.
//
// The key is the struct's identity for as long as it lives, and is never equal to
// that of a later one at the same address.
type Map[T, V any] struct {
	values sync.Map // from weak.Pointer[T] to *V

	Dropped func(*V) // is called, if it is set, when the T of a V was collected
}

// Of returns the V of p, a new one when it is first asked for. Any goroutine may
// call it.
func (m *Map[T, V]) Of(p *T) *V {
	if v := m.Find(p); v != nil {
		return v
	}
	key := weak.Make(p)
	v, loaded := m.values.LoadOrStore(key, new(V))
	if !loaded {
		runtime.AddCleanup(p, m.drop, key)
	}
	return v.(*V)
}

func (m *Map[T, V]) drop(key weak.Pointer[T]) {
	if v, ok := m.values.LoadAndDelete(key); ok && m.Dropped != nil {
		m.Dropped(v.(*V))
	}
}

// Find returns the V of p, or nil if it was never asked for.
func (m *Map[T, V]) Find(p *T) *V {
	v, _ := m.values.Load(weak.Make(p))
	found, _ := v.(*V)
	return found
}

// Len returns how many there are.
func (m *Map[T, V]) Len() (n int) {
	m.values.Range(func(any, any) bool {
		n++
		return true
	})
	return n
}
