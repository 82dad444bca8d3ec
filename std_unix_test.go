//go:build unix

package xexec_test

import (
	"os/exec"
	"syscall"
)

func setSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
