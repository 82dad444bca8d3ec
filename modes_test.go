package xexec_test

import (
	"os"
	"testing"
)

// withoutEnv names, in a run of the suite, what that run does without. The
// tests of a mode set it for the child in which they run the whole suite, and
// are skipped there.
const withoutEnv = "XEXEC_TEST_WITHOUT"

// needPoller skips a test of the poller itself in a mode that has none.
func needPoller(t testing.TB) {
	t.Helper()
	if mode := os.Getenv(withoutEnv); mode == "pidfd" || mode == "epoll" {
		t.Skipf("there is no poller without %s", mode)
	}
}
