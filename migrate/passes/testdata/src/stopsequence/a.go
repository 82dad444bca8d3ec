package stopsequence

import (
	"syscall"
	"time"

	exec "example.com/xexec"
)

func sleep(cmd *exec.Cmd) {
	cmd.Process.Signal(syscall.SIGTERM) // want `stop signal, pause, kill`
	time.Sleep(5 * time.Second)
	cmd.Process.Kill()
	cmd.Wait()
}

type server struct{ cmd *exec.Cmd }

func (s *server) stop(grace time.Duration) error {
	_ = s.cmd.Signal(syscall.SIGTERM) // want `stop signal, pause, kill`
	time.Sleep(grace)
	_ = s.cmd.Process.Signal(syscall.SIGKILL)
	return s.cmd.Wait()
}

func choose(cmd *exec.Cmd) {
	cmd.Terminate() // want `stop signal, pause, kill`
	select {
	case <-cmd.Done():
	case <-time.After(time.Second):
		cmd.Kill()
		cmd.Wait()
	}
}

func unwaited(cmd *exec.Cmd) {
	cmd.Signal(syscall.SIGTERM) // want `stop signal, pause, kill`
	time.Sleep(time.Second)
	cmd.Kill()
}

func own(cmd *exec.Cmd, done chan bool) {
	cmd.Signal(syscall.SIGTERM) // want `stop signal, pause, kill`
	select {
	case <-done:
	case <-time.After(time.Second):
		cmd.Kill()
	}
}

func looks(cmd *exec.Cmd) {
	cmd.Signal(syscall.SIGTERM) // want `stop signal, pause, kill`
	select {
	case <-cmd.Done():
		println("polite")
	case <-time.After(time.Second):
		cmd.Kill()
	}
}

func commented(cmd *exec.Cmd) {
	cmd.Signal(syscall.SIGTERM) // want `stop signal, pause, kill`
	// Time to clean up.
	time.Sleep(time.Second)
	cmd.Kill()
	cmd.Wait()
}

func other(a, b *exec.Cmd) error {
	a.Signal(syscall.SIGTERM)
	time.Sleep(time.Second)
	b.Kill()
	a.Signal(syscall.SIGHUP)
	time.Sleep(time.Second)
	a.Kill()
	if err := a.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	time.Sleep(time.Second)
	return a.Kill()
}
