//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the example.
func TestMain(m *testing.M) {
	if os.Getenv("TIMEOUT_TEST") != "" {
		main()
	}
	os.Exit(m.Run())
}

// status runs a timeout and returns its exit status, as a shell has it.
func status(t *testing.T, timeout string, args ...string) (status int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, timeout, args...)
	cmd.Env = append(os.Environ(), "TIMEOUT_TEST=1")
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	status, _ = exitStatus(cmd.ProcessState)
	return status, stdout.String()
}

func self(t *testing.T) string {
	exe, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	return exe
}

const deaf = `trap "" TERM; while :; do sleep 0.05; done`

func TestExitStatus(t *testing.T) {
	for _, test := range []struct {
		args []string
		want int
	}{
		{[]string{"0.2", "sleep", "50"}, 124},
		{[]string{"20", "true"}, 0},
		{[]string{"0", "true"}, 0},
		{[]string{"0.5m", "sh", "-c", "exit 3"}, 3},
		{[]string{"20", "sh", "-c", "kill -KILL $$"}, 137},
		{[]string{"20", "sh", "-c", "kill -TERM $$"}, 143},
		{[]string{"-s", "KILL", "0.2", "sleep", "50"}, 137},
		{[]string{"--signal=9", "0.2", "sleep", "50"}, 137},
		{[]string{"--signal=SIGINT", "0.2", "sleep", "50"}, 124},
		{[]string{"-s", "INT", "--preserve-status", "0.2", "sleep", "50"}, 130},
		{[]string{"--preserve-status", "0.2", "sleep", "50"}, 143},
		{[]string{"-k", "0.2", "0.2", "sh", "-c", deaf}, 137},
		{[]string{"--kill-after=0.2", "--preserve-status", "0.2", "sh", "-c", deaf}, 137},
		{[]string{"--kill-after=20", "0.2", "sleep", "50"}, 124},
		{[]string{"x", "true"}, 125},
		{[]string{"1x", "true"}, 125},
		{[]string{"-s", "NONE", "1", "true"}, 125},
		{[]string{"--no-such-flag", "1", "true"}, 125},
		{[]string{"1"}, 125},
		{[]string{"1", "/etc/passwd"}, 126},
		{[]string{"1", "/nonexistent"}, 127},
		{[]string{"1", "no such command"}, 127},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			if got, _ := status(t, self(t), test.args...); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
			real, err := exec.LookPath("timeout")
			if err != nil {
				t.Skip(err)
			}
			if got, _ := status(t, real, test.args...); got != test.want {
				t.Errorf("%d from %s, want %d", got, real, test.want)
			}
		})
	}
}

// The output is at its end when nobody holds it any more.
func TestNothingIsLeftBehind(t *testing.T) {
	for script, want := range map[string]int{
		"echo out; sleep 50; true":   124,
		"echo out; sleep 50 & wait":  124,
		"echo out; (sleep 50)":       124,
		"echo out; sleep 50 | cat":   124,
		"sleep 50 & echo out":        0,
		"sleep 50 & echo out; false": 1,
		"(" + deaf + ") & echo out; trap 'exit 3' TERM; sleep 50 & wait": 124,
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			got, out := status(t, self(t), "-k", "0.2", "0.3", "sh", "-c", script)
			if got != want || out != "out\n" {
				t.Errorf("%d %q, want %d", got, out, want)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// What timeout(1) sends to its own group does not reach who is left when the
// command has ended in time.
func TestRealTimeoutLeavesTheBackground(t *testing.T) {
	t.Parallel()
	real, err := exec.LookPath("timeout")
	if err != nil {
		t.Skip(err)
	}
	began := time.Now()
	if got, out := status(t, real, "0.3", "sh", "-c", "sleep 1 & echo out"); got != 0 || out != "out\n" {
		t.Errorf("%d %q", got, out)
	}
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("it has left nothing: %v", took)
	}
}
