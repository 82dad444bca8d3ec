//go:build unix

package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	exec "example.com/xexec"
)

func TestFirstFailureEndsAll(t *testing.T) {
	var report bytes.Buffer
	err := runAll(t.Context(), &report, []string{"sleep 1000 | sleep 1000", "exit 3", "sleep 1000"})
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("%v, want exit status 3", err)
	}
	// Then comes ": signal: terminated", for one that had started.
	for _, want := range []string{
		"sleep 1000 | sleep 1000: context canceled: exit status 3",
		"exit 3: exit status 3\n",
		"sleep 1000: context canceled: exit status 3",
	} {
		if line, err := report.ReadString('\n'); !strings.HasPrefix(line, want) {
			t.Errorf("%q, %v, want %q", line, err, want)
		}
	}
}

func TestAllSucceed(t *testing.T) {
	var report bytes.Buffer
	if err := runAll(t.Context(), &report, []string{"true", "true"}); err != nil {
		t.Error(err)
	}
}
