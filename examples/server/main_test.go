//go:build unix

package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// start starts a server, which is told to stop by stop, and at the latest when the
// test ends.
func start(t *testing.T) (url string, stop func()) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String() + "/run", cancel
}

func post(t *testing.T, ctx context.Context, url, script string) *http.Response {
	r, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(script))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

func TestRun(t *testing.T) {
	t.Parallel()
	url, _ := start(t)
	for script, want := range map[string][2]string{
		"echo out; echo err >&2":       {"out\nerr\n", "ok"},
		"echo out; exit 3":             {"out\n", "exit status 3"},
		"sleep 1000 & echo background": {"background\n", "ok"},
		"kill -KILL $$":                {"", "signal: killed"},
	} {
		answer := post(t, t.Context(), url, script)
		b, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := answer.Trailer.Get("Status"); string(b) != want[0] || got != want[1] {
			t.Errorf("%s: %q, %q, want %q", script, b, got, want)
		}
	}
}

// stubborn returns a script of two processes that ignore the stop signal, and a
// function that waits until both are gone.
func stubborn(t *testing.T) (script string, awaitDeath func()) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := exec.Command("mkfifo", fifo).Run(); err != nil {
		t.Skip(err)
	}
	r, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return `exec 3>"` + fifo + `"; trap "" TERM; sleep 1000 & echo ready; sleep 1000`, func() {
		r.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, r); err != nil { // to its end: nobody can write
			t.Error("processes are left:", err)
		}
	}
}

func awaitReady(t *testing.T, answer *http.Response) {
	if _, err := io.ReadFull(answer.Body, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
}

func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	url, _ := start(t)
	script, awaitDeath := stubborn(t)
	ctx, cancel := context.WithCancel(t.Context())
	awaitReady(t, post(t, ctx, url, script))
	cancel()
	awaitDeath()
}

func TestServerStops(t *testing.T) {
	t.Parallel()
	url, stop := start(t)
	script, awaitDeath := stubborn(t)
	answer := post(t, t.Context(), url, script)
	awaitReady(t, answer)
	stop()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	if got, want := answer.Trailer.Get("Status"), "context canceled: the server is stopping: signal: killed"; got != want {
		t.Errorf("status %q, want %q", got, want)
	}
	awaitDeath()
}
