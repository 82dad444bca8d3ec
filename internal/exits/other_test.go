//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd && !windows

package exits

import (
	"errors"
	"os"
	"testing"
)

// Where nothing can be seen, that is said, and at once.
func TestUnsupported(t *testing.T) {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Skip(err)
	}
	p := Of(self)
	for _, cancel := range []chan struct{}{nil, make(chan struct{})} {
		if exited, err := p.Wait(cancel); exited || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Wait: %v, %v", exited, err)
		}
	}
	if exited, err := p.Exited(); exited || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Exited: %v, %v", exited, err)
	}
	if err := Watch(self, func(<-chan struct{}) {}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Watch: %v", err)
	}
}
