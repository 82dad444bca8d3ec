//go:build !windows

package tree

import "os"

// SendTo sends sig to the one process p, which is not a tree.
func SendTo(p *os.Process, _ bool, sig os.Signal) error { return p.Signal(sig) }
