//go:build !unix

package testkit

import "os/exec"

// SetSession does nothing where there are no sessions.
func SetSession(*exec.Cmd) {}
