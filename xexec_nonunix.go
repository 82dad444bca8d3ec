//go:build !unix && !windows

package xexec

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Plan 9 has processes, and what it lacks is done here as os/exec does it. js
// and wasip1 have none: Start fails.

const defaultStopSignal = syscall.SIGTERM

func isTextBusy(error) bool { return false }

// isHangup reports whether err says that nobody reads the command's Stdin.
func isHangup(err error) bool {
	var pe *fs.PathError
	return errors.As(err, &pe) && pe.Op == "write" && pe.Path == "|1" &&
		pe.Err.Error() == "i/o on hungup channel"
}

// diedOfKill reports whether state is that of a process that was killed.
func diedOfKill(state *os.ProcessState) bool { return state != nil && !state.Success() }

// stopReading has no means to make a Read return, and reports whether there is
// none.
func (p *pipeReader) stopReading(bool) bool { return p.reading.TryLock() }

func (p *pipeReader) closeFile() error { return p.file.Close() }

// readAvailable has no means to tell how much can be read without blocking.
func readAvailable(*os.File) []byte { return nil }

// send sends sig to the process. The caller holds r.mu.
func (r *run) send(sig os.Signal) error { return r.proc.Signal(sig) }

func leadsGroup(*syscall.SysProcAttr) bool { return false }
