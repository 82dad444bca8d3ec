package processkill

import (
	"errors"
	"os"
	"syscall"
	"time"

	exec "example.com/xexec"
)

type job struct {
	*exec.Cmd
	name string
}

func (j *job) Kill() { j.Process.Kill() } // want `signal through the process`

type server struct{ cmd *exec.Cmd }

func discarded(cmd *exec.Cmd, j *job, s *server) {
	cmd.Process.Kill()                               // want `signal through the process`
	_ = cmd.Process.Signal(os.Interrupt)             // want `signal through the process`
	defer cmd.Process.Kill()                         // want `signal through the process`
	go s.cmd.Process.Signal(syscall.SIGHUP)          // want `signal through the process`
	j.Process.Kill()                                 // want `signal through the process`
	time.AfterFunc(1, func() { cmd.Process.Kill() }) // want `signal through the process`
	if cmd.Process != nil {
		cmd.Process.Kill() // want `signal through the process`
	}
	(*exec.Cmd)(nil).Process.Kill() // want `signal through the process`
}

func tolerant(cmd *exec.Cmd) error {
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) { // want `signal through the process`
		return err
	}
	return nil
}

func used(cmd *exec.Cmd) error {
	if err := cmd.Process.Kill(); err != nil { // want `its error is used`
		return err
	}
	time.AfterFunc(1, func() { _ = cmd.Process.Signal(os.Kill) == nil })  // want `its error is used`
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // want `its error is used`
	return cmd.Process.Kill()                                             // want `its error is used`
}

func others(p *os.Process, cmd *exec.Cmd) {
	p.Kill()
	cmd.Process.Release()
	cmd.Process.Wait()
	cmd.Kill()
}
