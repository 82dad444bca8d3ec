package xexec_test

import (
	"testing"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func TestAssignedOverAfterDone(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.Helper(t, "exit", "0")
	c.Done()
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	*c = *xtest.Helper(t, "exit", "3")
	if err := c.Std().Start(); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := c.Wait(); err == nil || err.Error() != "exit status 3" {
		t.Errorf("Wait: %v", err)
	}
}

// The struct of a command can be assigned over, as people do who restart one
// that is a field of theirs.
func TestStructAssignedOverIsAnotherCommand(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	var service struct{ cmd xexec.Cmd }
	for _, code := range []string{"3", "4"} {
		service.cmd = *xtest.Helper(t, "exit", code)
		if err := service.cmd.Wait(); err == nil || err.Error() != "exec: not started" {
			t.Errorf("Wait before the start: %v", err)
		}
		err := service.cmd.Run()
		if err == nil || service.cmd.ProcessState.String() != "exit status "+code {
			t.Errorf("Run: %v, want exit status %s", err, code)
		}
	}
}
