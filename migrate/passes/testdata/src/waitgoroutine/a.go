package waitgoroutine

import (
	"context"
	"errors"
	"time"

	exec "example.com/xexec"
)

var errTimeout = errors.New("timeout")

func timer(cmd *exec.Cmd, d time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }() // want `goroutine around Wait`
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case err := <-done:
		return err // as it is
	case <-timer.C:
		// Too late.
		cmd.Kill()
		<-done
		return errTimeout
	}
}

func closes(cmd *exec.Cmd, ctx context.Context) (err error) {
	done := make(chan error)
	go func() { done <- cmd.Wait(); close(done) }() // want `goroutine around Wait`
	select {
	case err = <-done:
	case <-ctx.Done():
		cmd.Kill()
		return <-done
	}
	return err
}

func variable(cmd *exec.Cmd, ctx context.Context) error {
	done := make(chan error, 1)
	go func() { err := cmd.Wait(); done <- err }() // want `goroutine around Wait`
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func noSelect(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }() // want `goroutine around Wait`
	println("meanwhile")
	return <-done
}

func cause(cmd *exec.Cmd, ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }() // want `goroutine around Wait`
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func leaves(cmd *exec.Cmd, quick bool) error {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }() // want `goroutine around Wait`
	if quick {
		return nil
	}
	return <-done
}

func loop(cmd *exec.Cmd, ticks chan int) error {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }() // want `goroutine around Wait`
	for {
		select {
		case err := <-done:
			return err
		case <-ticks:
		}
	}
}

func twice(cmd *exec.Cmd, ticks chan int) {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait(); close(done) }() // want `goroutine around Wait`
	select {
	case <-done:
	case <-ticks:
	}
	<-done
}

func escapes(cmd *exec.Cmd) <-chan error {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }() // want `goroutine around Wait`
	return done
}

func reassigned(cmd *exec.Cmd, ticks chan int) {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }() // want `goroutine around Wait`
	select {
	case <-done:
	case <-ticks:
		cmd = exec.Command("other")
	}
}

type server struct {
	cmd  *exec.Cmd
	done chan error
}

func (s *server) field() {
	go func() { s.done <- s.cmd.Wait() }() // want `goroutine around Wait`
}

func commented(cmd *exec.Cmd) error {
	done := make(chan error, 1)        // buffered: nobody may be there
	go func() { done <- cmd.Wait() }() // want `goroutine around Wait`
	return <-done
}

func inside(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	go func() { // want `goroutine around Wait`
		// Comments are not thrown away.
		done <- cmd.Wait()
	}()
	return <-done
}

func more(cmd *exec.Cmd, done chan error) {
	go func() {
		err := cmd.Wait()
		println("ended")
		done <- err
	}()
}
