// Package supervisor keeps a set of programs running.
package supervisor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Spec says how to run a program.
type Spec struct {
	Name    string
	Args    []string
	Dir     string
	Env     []string
	Restart bool
	Grace   time.Duration
}

// Process is a supervised program.
type Process struct {
	Spec Spec

	mu       sync.Mutex
	cmd      *exec.Cmd
	stopping bool
	restarts int
	done     chan struct{}
	err      error
	log      *log.Logger
}

// Start starts the program and the goroutine that looks after it.
func Start(spec Spec, out io.Writer) (*Process, error) {
	p := &Process{
		Spec: spec,
		done: make(chan struct{}),
		log:  log.New(out, spec.Name+": ", 0),
	}
	cmd, err := p.launch()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	go p.loop(cmd)
	return p, nil
}

func (p *Process) command() *exec.Cmd {
	cmd := exec.Command(p.Spec.Args[0], p.Spec.Args[1:]...)
	cmd.Dir = p.Spec.Dir
	if len(p.Spec.Env) > 0 {
		cmd.Env = append(os.Environ(), p.Spec.Env...)
	}
	return cmd
}

func (p *Process) launch() (*exec.Cmd, error) {
	cmd := p.command()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go p.copyLog(stdout)
	p.mu.Lock()
	p.cmd = cmd
	p.mu.Unlock()
	return cmd, nil
}

func (p *Process) copyLog(r io.Reader) {
	s := bufio.NewScanner(r)
	for s.Scan() {
		p.log.Print(s.Text())
	}
}

func (p *Process) loop(cmd *exec.Cmd) {
	defer close(p.done)
	for {
		err := cmd.Wait()
		p.mu.Lock()
		p.err = err
		again := p.Spec.Restart && !p.stopping
		if again {
			p.restarts++
		}
		p.mu.Unlock()
		if !again {
			return
		}
		time.Sleep(10 * time.Millisecond)
		next, err := p.launch()
		if err != nil {
			p.mu.Lock()
			p.err = err
			p.mu.Unlock()
			return
		}
		cmd = next
	}
}

// Stop asks the program to end and kills it if it does not.
func (p *Process) Stop() error {
	p.mu.Lock()
	p.stopping = true
	cmd := p.cmd
	p.mu.Unlock()
	// SIGTERM first, then the hard way.
	cmd.Process.Signal(syscall.SIGTERM)
	grace := p.Spec.Grace
	if grace == 0 {
		grace = 5 * time.Second
	}
	select {
	case <-p.done:
	case <-time.After(grace):
		cmd.Process.Kill()
		<-p.done
	}
	return p.Err()
}

// Err returns how the program ended last.
func (p *Process) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Restarts returns how often the program was started again.
func (p *Process) Restarts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.restarts
}

// Pid returns the process id, for status pages.
func (p *Process) Pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// ErrTimeout is returned by RunOnce.
var ErrTimeout = errors.New("supervisor: timed out")

// RunOnce runs a program to its end, or for at most d.
func RunOnce(ctx context.Context, d time.Duration, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		<-done
		return ctx.Err()
	case <-time.After(d):
		_ = cmd.Process.Kill()
		<-done
		return ErrTimeout
	}
}
