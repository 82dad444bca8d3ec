//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd && !windows

package exits

import (
	"errors"
	"os"
)

const maxThreads = 0

func (p *Process) exited() (bool, error) { return false, errors.ErrUnsupported }

func (p *Process) block() (bool, error) { return false, errors.ErrUnsupported }

func (p *Process) poll(<-chan struct{}) outcome { return notPolled }

func watch(*os.Process) (<-chan struct{}, func(), error) {
	return nil, nil, errors.ErrUnsupported
}

func (p *Process) reap() (*os.ProcessState, error) { return p.OS.Wait() }

// Here calls f with -1: no descriptor tells of the exit.
func (p *Process) Here(f func(int)) { f(-1) }

type self struct{}

func (*self) open(*os.Process) {}
