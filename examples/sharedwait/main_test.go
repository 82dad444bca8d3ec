package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain lets the test binary be the example, and the child that this starts.
func TestMain(m *testing.M) {
	if os.Getenv("SHAREDWAIT_TEST") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestSharedWait(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "SHAREDWAIT_TEST=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"a goroutine with little time waits: context deadline exceeded",
		"kills the child: <nil>",
		"all 5 got the same result",
		"a kill now reaches nobody: os: process already finished",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the example does not say %q:\n%s", want, out)
		}
	}
}
