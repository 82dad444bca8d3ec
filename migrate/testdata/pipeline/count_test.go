package pipeline

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"testing"
)

func TestWords(t *testing.T) {
	got, err := Words(context.Background(), "b a b c b a\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"3 b", "2 a", "1 c"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestCheck(t *testing.T) {
	cmd := exec.Command("sh", "-c", "exit 6")
	err := Check(context.Background(), cmd)
	var ee *exec.ExitError
	if !errors.As(err, &ee) || ee.ExitCode() != 6 {
		t.Error(err)
	}
	if cmd.Process == nil {
		t.Error("another command was started")
	}
}
