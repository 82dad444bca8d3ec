//go:build !linux

package testkit

// A Stock is empty where nothing but goroutines is counted.
type Stock struct{}

// TakeStock counts nothing.
func TakeStock() Stock { return Stock{} }

// Leaks reports nothing.
func (Stock) Leaks() []string { return nil }
