//go:build !linux

package testkit

import "os"

// awaitReader waits until a pipe is empty where Sync does that, as on Windows.
func awaitReader(w *os.File) { w.Sync() }

// PipeSize returns 0 where the size of a pipe cannot be asked for.
func PipeSize(*os.File) int { return 0 }

// Pidfd is nil where there are no pidfds.
func Pidfd() error { return nil }
