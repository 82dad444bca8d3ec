package waitgoroutine

import (
	"sync"
	"time"

	exec "example.com/xexec"
)

func timer(cmd *exec.Cmd, d time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }() // want `goroutine around Wait`
	select {
	case err := <-done:
		return err
	case <-time.After(d):
		return cmd.Kill()
	}
}

func variable(cmd *exec.Cmd) {
	done := make(chan error, 1)
	go func() { // want `goroutine around Wait`
		err := cmd.Wait()
		println("ended")
		done <- err
	}()
}

func closes(cmd *exec.Cmd, done chan struct{}) {
	go func() { // want `goroutine around Wait`
		defer close(done)
		if err := cmd.Wait(); err != nil {
			println(err.Error())
		}
	}()
}

func selects(cmd *exec.Cmd, done chan error, quit chan int) {
	go func(c *exec.Cmd) { // want `goroutine around Wait`
		select {
		case done <- c.Wait():
		case <-quit:
		}
	}(cmd)
}

type server struct {
	cmd  *exec.Cmd
	done chan error
}

func (s *server) start() {
	go s.watch() // want `goroutine around Wait`
	go s.reap()
	go watch(s) // want `goroutine around Wait`
}

func (s *server) watch() { s.done <- s.cmd.Wait() }

func watch(s *server) { s.cmd.Wait(); close(s.done) }

func (s *server) reap() { s.cmd.Wait() }

func others(cmd *exec.Cmd, done chan error, wg *sync.WaitGroup) {
	go func() { cmd.Wait() }()
	go func() { done <- cmd.Start() }()
	go func() { wg.Wait(); close(done) }()
	done <- cmd.Wait()
}
