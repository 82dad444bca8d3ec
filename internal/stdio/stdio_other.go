//go:build !unix && !windows

package stdio

import (
	"io/fs"
	"os"
)

// Plan 9 has processes, and what it lacks is done here as os/exec does it. js and
// wasip1 have none.

// interrupt has no means to make a read return.
func interrupt(*os.File, func() bool) {}

func isInterrupted(error) bool { return false }

func closeFile(f *os.File, unused func() bool) error { return f.Close() }

func closeSoon(f *os.File) { go f.Close() }

// isHangup reports whether err says that nobody reads the command's Stdin.
func isHangup(err error) bool {
	pe, ok := err.(*fs.PathError)
	return ok && pe.Op == "write" && pe.Path == "|1" && pe.Err.Error() == "i/o on hungup channel"
}

// available has no means to tell how much can be read without blocking.
func available(*os.File) []byte { return nil }

// isEnd reports true: a read that returns no bytes is at the end.
func isEnd(*os.File) bool { return true }
