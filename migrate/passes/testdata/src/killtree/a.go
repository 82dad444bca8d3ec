package killtree

import (
	"bytes"
	"os"
	"syscall"

	exec "example.com/xexec"
)

// all is seen from beginning to end.
func all(dir string) error {
	cmd := exec.Command("make")
	cmd.Dir = dir
	cmd.Stdout = os.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // want `process group killed by its number`
	return cmd.Wait()
}

// A writer may lose what grandchildren write.
func output() error {
	var out bytes.Buffer
	cmd := exec.Command("make")
	cmd.Stdout = &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // want `process group killed by its number`
	return cmd.Wait()
}

// The group outlives the command here.
func outlives() error {
	cmd := exec.Command("daemon")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // want `process group killed by its number`
	}()
	return cmd.Wait()
}

func session() error {
	cmd := exec.Command("make")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // want `process group killed by its number`
	return cmd.Wait()
}

func escapes(use func(*exec.Cmd)) error {
	cmd := exec.Command("make")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	use(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // want `process group killed by its number`
	return cmd.Wait()
}

func later() error {
	cmd := exec.Command("make")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // want `process group killed by its number`
	err := cmd.Wait()
	println("the group still lives")
	return err
}

func one(cmd *exec.Cmd, pid int) {
	syscall.Kill(cmd.Process.Pid, syscall.SIGKILL)
	syscall.Kill(-pid, syscall.SIGKILL)
}
