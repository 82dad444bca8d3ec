package supervisor

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("never:", what)
}

func TestRestarts(t *testing.T) {
	var out buffer
	p, err := Start(Spec{Name: "echo", Args: []string{"sh", "-c", "echo hello"}, Restart: true}, &out)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "two restarts", func() bool { return p.Restarts() >= 2 })
	p.Stop()
	if !strings.Contains(out.String(), "echo: hello") {
		t.Errorf("log is %q", out.String())
	}
}

func TestStopIsPolite(t *testing.T) {
	var out buffer
	p, err := Start(Spec{Name: "polite", Args: []string{"sh", "-c", `trap 'exit 3' TERM; echo up; while :; do sleep 0.01; done`}}, &out)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "up", func() bool { return strings.Contains(out.String(), "up") })
	var ee *exec.ExitError
	if err := p.Stop(); !errors.As(err, &ee) || ee.ExitCode() != 3 {
		t.Errorf("Stop: %v", err)
	}
}

func TestStopKills(t *testing.T) {
	var out buffer
	p, err := Start(Spec{Name: "deaf", Grace: 50 * time.Millisecond, Args: []string{"sh", "-c", `trap '' TERM; echo up; while :; do sleep 0.01; done`}}, &out)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "up", func() bool { return strings.Contains(out.String(), "up") })
	err = p.Stop()
	ee, ok := err.(*exec.ExitError)
	if !ok || ee.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("Stop: %v", err)
	}
	if p.Pid() == 0 {
		t.Error("no pid")
	}
}

func TestRunOnce(t *testing.T) {
	if err := RunOnce(context.Background(), time.Minute, "true"); err != nil {
		t.Error(err)
	}
	if err := RunOnce(context.Background(), 50*time.Millisecond, "sleep", "60"); err != ErrTimeout {
		t.Errorf("timeout: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := RunOnce(ctx, time.Minute, "sleep", "60"); err != context.DeadlineExceeded {
		t.Errorf("ctx: %v", err)
	}
}
