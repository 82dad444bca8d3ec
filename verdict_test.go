package xexec

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"testing"
)

// A kill can be delivered to a process that is alive, and yet come too late to be
// what ends it. That moment cannot be brought about, so this shows the verdict
// what would be seen of it: a successful exit.
func TestKillThatCameTooLateIsNotToBlame(t *testing.T) {
	switch runtime.GOOS {
	case "js", "wasip1", "ios":
		t.Skipf("%s cannot start processes", runtime.GOOS)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	list := exec.Command(self, "-test.list=^$")
	list.Env = append(os.Environ(), "XEXEC_TEST_HELPER=")
	if err := list.Run(); err != nil {
		t.Fatal(err)
	}
	end := cancellation{ctxErr: context.Canceled, cause: errors.New("cause"), err: context.Canceled, killed: true}
	r := &run{end: end, processState: list.ProcessState, rich: true}
	if err, cause := r.verdict(nil); err != nil || cause != nil {
		t.Errorf("a command that succeeded is blamed on its context: %v, %v", err, cause)
	}

	// And this is what a custom Cancel makes of the same exit, as under os/exec.
	end.killed, end.asked = false, true
	r = &run{end: end, processState: list.ProcessState}
	if err, cause := r.verdict(nil); err != context.Canceled || cause != end.cause {
		t.Errorf("a command that was asked to stop, and did: %v, %v", err, cause)
	}
}
