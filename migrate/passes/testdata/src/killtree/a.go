package killtree

import (
	"os"
	"syscall"

	exec "example.com/xexec"
)

func plain(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // want `process group signalled by its number`
	go func() {
		syscall.Kill(-cmd.Pid(), syscall.SIGTERM) // want `process group signalled by its number`
	}()
}

func product(cmd *exec.Cmd) {
	syscall.Kill(-1*cmd.Process.Pid, syscall.SIGKILL)   // want `process group signalled by its number`
	syscall.Kill(cmd.Process.Pid*-1, syscall.SIGKILL)   // want `process group signalled by its number`
	syscall.Kill(0-cmd.Process.Pid, syscall.SIGKILL)    // want `process group signalled by its number`
	syscall.Kill(int(-cmd.Process.Pid), syscall.SIGINT) // want `process group signalled by its number`
}

func variable(cmd *exec.Cmd) {
	p := cmd.Process
	pid := p.Pid
	syscall.Kill(-pid, syscall.SIGKILL) // want `process group signalled by its number`
	var group = -pid
	syscall.Kill(group, syscall.SIGKILL) // want `process group signalled by its number`
}

func getpgid(cmd *exec.Cmd) error {
	pgid, err := syscall.Getpgid(cmd.Process.Pid)
	if err == nil {
		err = syscall.Kill(-pgid, syscall.SIGTERM) // want `process group signalled by its number`
	}
	return err
}

func find(cmd *exec.Cmd) {
	p, err := os.FindProcess(-cmd.Process.Pid) // want `process group looked up by its number`
	if err == nil {
		p.Signal(os.Interrupt)
	}
}

// The id goes through fields, parameters and results.
type server struct {
	cmd *exec.Cmd
	pid int
}

func (s *server) start() {
	s.cmd.Start()
	s.pid = s.cmd.Process.Pid
	kill(s.pid)
	kill2(s.id())
}

func (s *server) id() int { return s.pid }

func (s *server) stop() { syscall.Kill(-s.pid, syscall.SIGTERM) } // want `process group signalled by its number`

func kill(pid int) { syscall.Kill(-pid, syscall.SIGKILL) } // want `process group signalled by its number`

func kill2(pid int) { syscall.Kill(-pid, syscall.SIGKILL) } // want `process group signalled by its number`

func literal(cmd *exec.Cmd) server { return server{cmd: cmd, pid: cmd.Process.Pid} }

func taskkill(pid string) {
	exec.Command("taskkill", "/T", "/F", "/PID", pid).Run() // want `process tree killed by its number through taskkill`
	exec.Command("taskkill", "/F", "/PID", pid).Run()
}

func others(cmd *exec.Cmd, pid int) {
	syscall.Kill(cmd.Process.Pid, syscall.SIGKILL)
	syscall.Kill(-pid, syscall.SIGKILL)
	syscall.Kill(-os.Getpid(), syscall.SIGKILL)
	syscall.Kill(0, syscall.SIGKILL)
	os.FindProcess(cmd.Process.Pid)
}
