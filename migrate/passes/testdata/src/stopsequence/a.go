package stopsequence

import (
	"context"
	"os"
	"syscall"
	"time"

	exec "example.com/xexec"
)

func sleep(cmd *exec.Cmd) {
	cmd.Process.Signal(syscall.SIGTERM) // want `stop signal, pause, kill`
	time.Sleep(5 * time.Second)
	cmd.Process.Kill()
}

type server struct{ cmd *exec.Cmd }

func (s *server) stop(sig os.Signal, grace time.Duration, done chan error) error {
	if err := s.cmd.Signal(sig); err != nil { // want `stop signal, pause, kill`
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return s.cmd.Process.Signal(syscall.SIGKILL)
	}
}

func afterFunc(cmd *exec.Cmd) error {
	cmd.Process.Signal(os.Interrupt) // want `stop signal, pause, kill`
	t := time.AfterFunc(time.Second, func() { cmd.Process.Kill() })
	defer t.Stop()
	return cmd.Wait()
}

func group(cmd *exec.Cmd, ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // want `stop signal, pause, kill`
	select {
	case <-cmd.Done():
	case <-ctx.Done():
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}

func others(a, b *exec.Cmd) {
	a.Signal(syscall.SIGTERM)
	time.Sleep(time.Second)
	b.Kill()
}

func noPause(a *exec.Cmd) {
	a.Signal(syscall.SIGTERM)
	a.Kill()
}

func notAsked(a *exec.Cmd) {
	a.Signal(syscall.SIGHUP)
	time.Sleep(time.Second)
	a.Kill()
}
