package systems

import (
	"context"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestOpener(t *testing.T) {
	want := map[string]string{"linux": "xdg-open x", "darwin": "open x"}[runtime.GOOS]
	if got := strings.Join(opener("x").Args, " "); want != "" && got != want {
		t.Errorf("%q", got)
	}
}

func TestTerminate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no sleep")
	}
	cmd := exec.Command("sleep", "60")
	detach(cmd)
	if err := run(context.Background(), cmd, 50*time.Millisecond); err == nil || err.Error() != "signal: terminated" {
		t.Error(err)
	}
}
