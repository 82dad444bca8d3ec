//go:build unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// programs writes shell scripts to files.
func programs(t *testing.T, scripts ...string) (names []string) {
	for i, script := range scripts {
		name := filepath.Join(t.TempDir(), string(rune('a'+i)))
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

func check(t *testing.T, ctx context.Context, names []string, timeout time.Duration, failures int, want string) {
	t.Helper()
	var report strings.Builder
	if failed := runAll(ctx, &report, names, 4, timeout); failed != failures {
		t.Errorf("%d failed, want %d", failed, failures)
	}
	got := regexp.MustCompile(`\([0-9.]+s\)`).ReplaceAllString(report.String(), "(s)")
	got = regexp.MustCompile(`: signal: (terminated|killed)\n`).ReplaceAllString(got, "\n")
	for i, name := range names {
		got = strings.ReplaceAll(got, name, string(rune('a'+i)))
	}
	if got != want {
		t.Errorf("the report is\n%s\nwant\n%s", got, want)
	}
}

func TestRunAll(t *testing.T) {
	names := programs(t,
		"echo out",
		"echo out; echo err >&2; exit 3",
		"sleep 1000 & echo it leaves a process behind",
		"yes | tr -d '\\n'",
	)
	names = append(names, "./nonexistent")
	var tooMuch strings.Builder
	for tooMuch.Len() < maxOutput {
		tooMuch.WriteByte('y')
	}
	check(t, t.Context(), names, time.Minute, 3, `ok    a (s)
FAIL  b (s): exit status 3
out
err
ok    c (s)
FAIL  d (s): xexec: output limit exceeded
`+tooMuch.String()+`FAIL  e (s): fork/exec e: no such file or directory
`)
}

func TestTimeout(t *testing.T) {
	names := programs(t, "sleep 1000", "sleep 1000 | cat", "trap '' TERM; sleep 1000; true")
	check(t, t.Context(), names, 200*time.Millisecond, 3, `FAIL  a (s): context deadline exceeded: it took longer than 200ms
FAIL  b (s): context deadline exceeded: it took longer than 200ms
FAIL  c (s): context deadline exceeded: it took longer than 200ms
`)
}

func TestStop(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	check(t, ctx, programs(t, "sleep 1000"), time.Minute, 1, "FAIL  a (s): context canceled\n")
}
