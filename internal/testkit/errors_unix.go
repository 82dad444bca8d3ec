//go:build unix

package testkit

import (
	"os/exec"
	"syscall"
)

// Killed reports whether err says that a command was killed.
func Killed(err error) bool {
	exit, ok := err.(*exec.ExitError)
	return ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}
