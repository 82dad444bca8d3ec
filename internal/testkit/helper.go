package testkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// HelperEnv is set in the environment of every process that the tests start,
// so that none of them can run the tests again, whatever its arguments are:
// one that nobody gave a command fails. A value other than NoHelper names the
// command, for tests that leave the arguments alone. A test that does want to
// run the suite in a child empties it.
const (
	HelperEnv = "XEXEC_TEST_HELPER"
	NoHelper  = "none"
)

// HelperArg stands before the name of the helper command in the arguments,
// which leaves the environment to the test.
const HelperArg = "xexec-test-helper"

// A Helper is a command that the test binary can be. Its result is the exit
// code.
type Helper func(args []string) int

var (
	helpers    = make(map[string]Helper)
	helperUsed sync.Map // by name; of a shared one, that it is shared
)

// Register is called by an init function of the file that uses the helper
// command. A full run in which no test uses it fails.
func Register(name string, f Helper) {
	if helpers[name] != nil {
		panic("duplicate helper command: " + name)
	}
	helpers[name] = f
}

// share registers a helper command of the kit, which not every package uses.
func share(name string, f Helper) {
	Register(name, f)
	helperUsed.Store(name, true)
}

func unusedHelpers() (problems []string) {
	for name := range helpers {
		if _, ok := helperUsed.Load(name); !ok {
			problems = append(problems, fmt.Sprintf("no test used the helper command %q", name))
		}
	}
	return problems
}

func requestedHelper() (name string, args []string) {
	if len(os.Args) > 2 && os.Args[1] == HelperArg {
		return os.Args[2], os.Args[3:]
	}
	if slices.Contains(os.Args, "-test.fuzzworker") {
		return "", nil // started by the tests' own fuzzer, with their environment
	}
	return os.Getenv(HelperEnv), os.Args[1:]
}

// RunHelper is the named helper command.
func RunHelper(name string, args []string) int {
	// No helper command survives a failed test for long.
	time.AfterFunc(4*Stuck, func() { os.Exit(125) })
	f := helpers[name]
	if f == nil {
		fmt.Fprintf(os.Stderr, "no helper command %q\n", name)
		return 126
	}
	return f(args)
}

// NeedHelper skips the test where no process can be started, and returns what
// runs the helper command: the test binary and its arguments.
func NeedHelper(t testing.TB, name string, args ...string) (exe string, argv []string) {
	t.Helper()
	helperUsed.Store(name, true)
	if !CanStartProcesses() {
		t.Skipf("%s cannot start processes", runtime.GOOS)
	}
	if helpers[name] == nil {
		t.Fatalf("no helper command %q", name)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe, append([]string{HelperArg, name}, args...)
}

// CanStartProcesses reports whether the operating system has processes.
func CanStartProcesses() bool {
	switch runtime.GOOS {
	case "js", "wasip1", "ios":
		return false
	}
	return true
}

// Command returns os/exec's command that runs the named helper command.
func Command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	exe, argv := NeedHelper(t, name, args...)
	return exec.Command(exe, argv...)
}

// CommandContext is Command with a context.
func CommandContext(ctx context.Context, t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	exe, argv := NeedHelper(t, name, args...)
	return exec.CommandContext(ctx, exe, argv...)
}
