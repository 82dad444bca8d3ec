package main

import (
	"os/exec"
	"syscall"
)

// endWithParent puts the process and its children into a group, to be killed if
// it crashes.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killOrphans(cmd *exec.Cmd) {
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
}
