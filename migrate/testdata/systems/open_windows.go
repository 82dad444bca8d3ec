package systems

import (
	"os/exec"
	"syscall"
)

func opener(target string) *exec.Cmd {
	return exec.Command("rundll32", "url.dll,FileProtocolHandler", target)
}

func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func terminate(cmd *exec.Cmd) error { return cmd.Process.Kill() }
