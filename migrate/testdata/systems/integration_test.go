//go:build integration && !windows

package systems

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/creack/pty"
)

func TestOnTerminal(t *testing.T) {
	cmd := exec.Command("sh", "-c", "test -t 1")
	f, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if err := run(context.Background(), exec.Command("sleep", "60"), 50*time.Millisecond); err == nil {
		t.Error("not ended")
	}
}
