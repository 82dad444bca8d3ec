package testkit

import (
	"bytes"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"go.uber.org/goleak"
)

// Stacks returns the stacks of all goroutines, each followed by an empty line.
func Stacks() string {
	var b bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&b, 2)
	return b.String()
}

// Goroutines returns the stacks that contain all of the texts.
func Goroutines(texts ...string) (found []string) {
next:
	for g := range strings.SplitSeq(Stacks(), "\n\n") {
		for _, text := range texts {
			if !strings.Contains(g, text) {
				continue next
			}
		}
		found = append(found, g)
	}
	return found
}

// libraryPackages are those whose goroutines, threads and descriptors tests look for.
var libraryPackages = []string{
	"example.com/xexec.",
	"example.com/xexec/internal/exits.", "example.com/xexec/internal/oscmd.",
	"example.com/xexec/internal/stdio.", "example.com/xexec/internal/tree.",
}

// OfLibrary reports whether the stack of a goroutine has a function of the library's
// after the text, which is "created by ", or nothing.
func OfLibrary(stack, after string) bool {
	return slices.ContainsFunc(libraryPackages, func(pkg string) bool { return strings.Contains(stack, after+pkg) })
}

// LeakedGoroutines is goleak.Find with the patience that a goroutine may need which
// is about to end, and does not get a processor.
func LeakedGoroutines(ignored ...goleak.Option) (err error) {
	for end := time.Now().Add(Stuck / 4); ; {
		if err = goleak.Find(ignored...); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// Collected reports whether the condition comes true while the collector runs.
func Collected(condition func() bool) bool {
	for end := time.Now().Add(Stuck / 6); time.Now().Before(end); time.Sleep(time.Millisecond) {
		runtime.GC()
		if condition() {
			return true
		}
	}
	return false
}
