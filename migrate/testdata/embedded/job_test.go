package embedded

import (
	"errors"
	"os/exec"
	"testing"
)

type runner interface {
	Run() error
	Log() string
}

func TestJob(t *testing.T) {
	var r runner = New("greet", "echo", "hello")
	if err := r.Run(); err != nil || r.Log() != "hello\n" {
		t.Errorf("%q, %v", r.Log(), err)
	}
	j := New("fail", "sh", "-c", "exit 5")
	err := j.Run()
	var ee *exec.ExitError
	if !errors.As(err, &ee) || ee.ExitCode() != 5 || err.Error() != "job fail: exit status 5" {
		t.Error(err)
	}
	if j.took == 0 || j.ProcessState.ExitCode() != 5 {
		t.Errorf("%+v", j)
	}
}

func TestStop(t *testing.T) {
	j := New("sleep", "sleep", "60")
	j.Stop()
	if err := j.Start(); err != nil {
		t.Fatal(err)
	}
	j.Stop()
	if err := j.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Error(err)
	}
}

func TestPool(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	p := newPool(sh)
	for range 3 {
		if _, err := p.start("-c", "exit 0"); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.wait(); err != nil || len(p.byPid) != 3 {
		t.Error(err, p.byPid)
	}
}
