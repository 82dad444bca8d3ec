//go:build !unix && !windows

package stdio

import "os"

// Plan 9 has processes, and what it lacks is done here as os/exec does it. js and
// wasip1 have none.

// interrupt has no means to make a read return.
func interrupt(*os.File) {}

func isInterrupted(error) bool { return false }

func closeFile(f *os.File) error { return f.Close() }

func isHungUp(err error) bool { return err.Error() == "i/o on hungup channel" }

// available has no means to tell how much can be read without blocking.
func available(*os.File) []byte { return nil }

// isEnd reports true: a read that returns no bytes is at the end.
func isEnd(*os.File) bool { return true }

// dup has no means to do so: a Reader that is a Stdin is copied.
func dup(*os.File) (*os.File, error) { return nil, errEnded }

func undoDup(*os.File) {}
