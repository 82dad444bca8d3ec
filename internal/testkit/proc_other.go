//go:build !linux

package testkit

import (
	"os"
	"testing"
)

// awaitReader waits until a pipe is empty where Sync does that, as on Windows.
func awaitReader(w *os.File) { w.Sync() }

// PipeSize returns 0 where the size of a pipe cannot be asked for.
func PipeSize(*os.File) int { return 0 }

// NeedOwnProc does nothing where no /proc is looked at.
func NeedOwnProc(testing.TB) {}

// NeedDescriptors does nothing where they cannot be counted.
func NeedDescriptors(testing.TB, int) {}

// Pidfd is nil where there are no pidfds.
func Pidfd() error { return nil }
