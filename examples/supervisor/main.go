//go:build unix

// Command supervisor keeps shell commands running:
//
//	supervisor 'python3 -m http.server' 'worker -q mail'
//
// A command that ends is started again, after a pause that grows while it ends at
// once. SIGHUP restarts all; SIGTERM and SIGINT stop all, and the supervisor.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	exec "example.com/xexec"
)

const (
	grace      = 10 * time.Second // from asking a command to stop until it is killed
	firstPause = 100 * time.Millisecond
	longPause  = 30 * time.Second
	settled    = time.Minute // a command that has run for so long is well
)

func main() {
	flag.Parse()
	stop, restore := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer restore()
	var services []*service
	for _, line := range flag.Args() {
		cmd := exec.Command("sh", "-c", line)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		services = append(services, newService(line, cmd))
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		for range hangup {
			for _, s := range services {
				s.Restart()
			}
		}
	}()
	var all sync.WaitGroup
	for _, s := range services {
		all.Go(func() { s.Run(stop) })
	}
	all.Wait()
}

// A service is a command that is to run always.
type service struct {
	name    string
	cmd     *exec.Cmd // never started itself: each run is a clone
	restart chan struct{}
}

func newService(name string, cmd *exec.Cmd) *service {
	cmd.SetTree(true)
	// If the supervisor is killed, so are they, where the system can do that.
	cmd.SetKillOnParentExit(runtime.GOOS == "linux" || runtime.GOOS == "freebsd")
	return &service{name, cmd, make(chan struct{}, 1)}
}

// Restart starts the command anew. It does not wait for that.
func (s *service) Restart() {
	select {
	case s.restart <- struct{}{}:
	default: // somebody has just asked
	}
}

// Run keeps the command running until ctx ends, and returns when nothing is left
// of it.
func (s *service) Run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		s.runOnce(ctx)
		if time.Since(began) >= settled {
			pause = firstPause
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, longPause)
		case <-s.restart:
			pause = firstPause
		case <-ctx.Done():
		}
	}
}

// runOnce runs the command until it ends, is to be restarted, or ctx ends.
func (s *service) runOnce(ctx context.Context) {
	cmd := s.cmd.Clone()
	if err := cmd.Start(); err != nil {
		log.Printf("%s: %v", s.name, err)
		return
	}
	log.Printf("%s: process %d", s.name, cmd.Pid())
	select {
	case <-cmd.Done():
	case <-s.restart:
		s.stop(cmd)
		s.Restart() // without a pause
	case <-ctx.Done():
		s.stop(cmd)
	}
	cmd.Wait()
	log.Printf("%s: %v", s.name, cmd.ProcessState)
}

func (s *service) stop(cmd *exec.Cmd) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := cmd.Shutdown(ctx); err != nil {
		log.Printf("%s: it had to be killed: %v", s.name, err)
	}
}
