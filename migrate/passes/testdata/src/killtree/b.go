package killtree

import (
	"syscall"

	exec "example.com/xexec"
)

// only uses syscall for the group.
func only() error {
	cmd := exec.Command("make")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // want `process group killed by its number`
	return cmd.Wait()
}
