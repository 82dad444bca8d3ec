//go:build unix

package main

import (
	"bufio"
	"context"
	"os"
	"testing"

	exec "example.com/xexec"
)

// run lets a service run until the test ends. It returns the lines that its command
// writes, and a function that stops it.
func run(t *testing.T, script string) (s *service, next func() string, stop func()) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.Stdout = w
	s = newService(t.Name(), cmd)
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		s.Run(ctx)
		w.Close()
		close(over)
	}()
	stop = func() {
		cancel()
		<-over
	}
	t.Cleanup(func() {
		stop()
		r.Close()
	})
	lines := bufio.NewScanner(r)
	return s, func() string {
		lines.Scan()
		return lines.Text()
	}, stop
}

func TestRestartsWhatEnds(t *testing.T) {
	t.Parallel()
	_, next, _ := run(t, "echo started; exit 3")
	for range 3 {
		if line := next(); line != "started" {
			t.Fatalf("%q", line)
		}
	}
}

// A shell may lose a signal for a child that it has just forked: its are short.
const polite = `trap "echo bye; exit" TERM; echo started; while :; do sleep 0.1; done`

func TestRestart(t *testing.T) {
	t.Parallel()
	s, next, _ := run(t, polite)
	for range 3 {
		if line := next(); line != "started" {
			t.Fatalf("%q", line)
		}
		s.Restart()
		if line := next(); line != "bye" {
			t.Fatalf("%q", line)
		}
	}
}

// When Run returns nobody is left, so the pipe is at its end.
func TestStop(t *testing.T) {
	t.Parallel()
	_, next, stop := run(t, polite)
	next()
	stop()
	if line := next(); line != "bye" {
		t.Errorf("%q", line)
	}
	if line := next(); line != "" {
		t.Errorf("%q after the end", line)
	}
}
