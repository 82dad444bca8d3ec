//go:build unix

package testkit

import (
	"os/exec"
	"syscall"
)

// SetSession makes the command lead a session, as pty packages do.
func SetSession(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
