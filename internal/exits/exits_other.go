//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd && !windows

package exits

import (
	"errors"
	"os"
)

const maxThreads = 0

func own(p *os.Process) *os.Process { return p }

func (p *Process) exited() (bool, error) { return false, errors.ErrUnsupported }

func (p *Process) block() (bool, error) { return false, errors.ErrUnsupported }

func watch(*os.Process, func(exited, failed <-chan struct{})) error { return errors.ErrUnsupported }

func (p *Process) reap() (*os.ProcessState, error) { return p.OS.Wait() }
