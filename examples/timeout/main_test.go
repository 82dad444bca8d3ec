//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
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
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, timeout, args...)
	cmd.Env = append(os.Environ(), "TIMEOUT_TEST=1")
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	if err := cmd.Run(); cmd.ProcessState == nil || ctx.Err() != nil {
		t.Fatal(args, err)
	}
	status, _ = exitStatus(cmd.ProcessState)
	return status, stdout.String()
}

// inTime tries f with longer and longer times, until it is true. Where a command
// has to be ready before its time is over, a busy machine can take too long for it.
func inTime(f func(scale int) bool) {
	for scale := 1; scale <= 64 && !f(scale); scale *= 4 {
	}
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
		{[]string{"0.2", "sleep", "1000"}, 124},
		{[]string{"60", "true"}, 0},
		{[]string{"0", "true"}, 0},
		{[]string{"0.5m", "sh", "-c", "exit 3"}, 3},
		{[]string{"60", "sh", "-c", "kill -KILL $$"}, 137},
		{[]string{"60", "sh", "-c", "kill -TERM $$"}, 143},
		{[]string{"-s", "KILL", "0.2", "sleep", "1000"}, 137},
		{[]string{"--signal=9", "0.2", "sleep", "1000"}, 137},
		{[]string{"--signal=SIGINT", "0.2", "sleep", "1000"}, 124},
		{[]string{"-s", "INT", "--preserve-status", "0.2", "sleep", "1000"}, 130},
		{[]string{"--preserve-status", "0.2", "sleep", "1000"}, 143},
		{[]string{"-k", "0.2", "0.2", "sh", "-c", deaf}, 137},
		{[]string{"--kill-after=0.2", "--preserve-status", "0.2", "sh", "-c", deaf}, 137},
		{[]string{"--kill-after=60", "0.2", "sleep", "1000"}, 124},
		{[]string{"x", "true"}, 125},
		{[]string{"1x", "true"}, 125},
		{[]string{"-s", "NONE", "1", "true"}, 125},
		{[]string{"--no-such-flag", "1", "true"}, 125},
		{[]string{"1"}, 125},
		{[]string{"60", "/etc/passwd"}, 126},
		{[]string{"60", "/nonexistent"}, 127},
		{[]string{"60", "no such command"}, 127},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			programs := []string{self(t)}
			if real, err := exec.LookPath("timeout"); err == nil {
				programs = append(programs, real)
			}
			for _, program := range programs {
				got := 0
				inTime(func(scale int) bool {
					args := slices.Clone(test.args)
					for i, arg := range args {
						args[i] = strings.ReplaceAll(arg, "0.2", fmt.Sprint(0.2*float64(scale)))
					}
					got, _ = status(t, program, args...)
					return got == test.want
				})
				if got != test.want {
					t.Errorf("%d from %s, want %d", got, program, test.want)
				}
			}
		})
	}
}

// The output is at its end when nobody holds it any more.
func TestNothingIsLeftBehind(t *testing.T) {
	for script, want := range map[string]int{
		"echo out; sleep 1000; true":                                       124,
		"echo out; sleep 1000 & wait":                                      124,
		"echo out; (sleep 1000)":                                           124,
		"echo out; sleep 1000 | cat":                                       124,
		"sleep 1000 & echo out":                                            0,
		"sleep 1000 & echo out; false":                                     1,
		"(" + deaf + ") & echo out; trap 'exit 3' TERM; sleep 1000 & wait": 124,
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			var got int
			var out string
			inTime(func(scale int) bool {
				seconds := fmt.Sprint(0.5 * float64(scale))
				got, out = status(t, self(t), "-k", seconds, seconds, "sh", "-c", script)
				return got == want && out == "out\n"
			})
			if got != want || out != "out\n" {
				t.Errorf("%d %q, want %d", got, out, want)
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
	if got, out := status(t, real, "60", "sh", "-c", "sleep 1 & echo out"); got != 0 || out != "out\n" {
		t.Errorf("%d %q", got, out)
	}
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("it has left nothing: %v", took)
	}
}
