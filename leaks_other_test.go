//go:build !linux

package xexec_test

// A stock is empty where nothing but goroutines is counted.
type stock struct{}

func takeStock() stock { return stock{} }

func (stock) leaks() []string { return nil }
