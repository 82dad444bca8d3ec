//go:build !linux

package xexec_test

import "os"

// awaitReader waits until a pipe is empty where Sync does that, as on Windows.
func awaitReader(w *os.File) { w.Sync() }
