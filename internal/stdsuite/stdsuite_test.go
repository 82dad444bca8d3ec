package stdsuite_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/xexec/internal/stdsuite"
	"example.com/xexec/internal/testkit"
)

// TestOsExecsOwnTests runs the tests of os/exec, from the GOROOT of whoever runs
// this one, against xexec and against os/exec, and compares them name by name.
func TestOsExecsOwnTests(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and runs the tests of another package, twice")
	}
	if !testkit.CanStartProcesses() {
		t.Skip("no processes")
	}
	if err := stdsuite.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	tmp, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	suite, err := stdsuite.Prepare(tmp, root, "example.com/xexec")
	if err != nil {
		t.Fatal(err)
	}
	var flags []string
	if testkit.RaceEnabled {
		flags = []string{"-race"}
	}
	std, err := suite.Std(t.Context(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	x, err := suite.Run(t.Context(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	passed, skipped, unusable := 0, 0, 0
	for _, name := range slices.Sorted(maps.Keys(std.Status)) {
		top, _, _ := strings.Cut(name, "/")
		switch s, got := std.Status[name], x.Status[name]; {
		case suite.Unusable[top] != "":
			unusable++
			t.Logf("%s uses what os/exec does not export (%s)", name, suite.Unusable[top])
		case got != s:
			t.Errorf("%s: %q, with os/exec %q\n%s", name, got, s, x.Output[name])
		case got == "pass":
			passed++
		case got == "skip":
			skipped++
			t.Logf("%s is skipped, as with os/exec", name)
		default:
			t.Logf("%s: %s, as with os/exec", name, got)
		}
	}
	for name := range x.Status {
		if std.Status[name] == "" {
			t.Errorf("os/exec has no %s", name)
		}
	}
	if x.Failed && !std.Failed {
		t.Errorf("the run as a whole has failed\n%s", x.Other)
	}
	if passed < 50 {
		t.Errorf("only %d tests have passed\n%s", passed, x.Other)
	}
	t.Logf("%d pass and %d are skipped with xexec as with os/exec, %d cannot be run", passed, skipped, unusable)
}
