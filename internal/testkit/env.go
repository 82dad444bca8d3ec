package testkit

import (
	"os"
	"strconv"
	"testing"
)

// How many random cases a run tries, and from which seed, can be set in the
// environment.
const (
	RandomEnv = "XEXEC_TEST_RANDOM"
	SeedEnv   = "XEXEC_TEST_SEED"
)

// Long reports whether the environment asks for the repetitions that the gate
// runs: XEXEC_TEST_LONG=1. Without it, every case runs once.
func Long() bool { return os.Getenv("XEXEC_TEST_LONG") != "" }

// NeedLong skips a test that only repeats what others do.
func NeedLong(t testing.TB, what string) {
	t.Helper()
	if !Long() {
		Lack(t, what+": only with XEXEC_TEST_LONG=1")
	}
}

// FromEnv returns the number in an environment variable, or value if it is not set.
func FromEnv(t testing.TB, name string, value int) int {
	t.Helper()
	if s := os.Getenv(name); s != "" {
		var err error
		if value, err = strconv.Atoi(s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return value
}

// sandboxEnv names the sandbox that a run of the tests is in.
const sandboxEnv = "XEXEC_TEST_SANDBOX"

// Sandboxed returns the name of the sandbox in which the tests run, "" for none.
func Sandboxed() string { return os.Getenv(sandboxEnv) }
