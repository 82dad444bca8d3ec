package xexec_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/xexec"
)

// helperEnv is set in the environment of every process that the tests start,
// so that none of them can run the tests again, whatever its arguments are:
// one that nobody gave a command fails. A value other than noHelper names the
// command, for tests that leave the arguments alone. A test that does want to
// run the suite in a child empties it.
const (
	helperEnv = "XEXEC_TEST_HELPER"
	noHelper  = "none"
)

// helperArg stands before the name of the helper command in the arguments,
// which leaves the environment to the test.
const helperArg = "xexec-test-helper"

// stuck is how long a test may take before it counts as stuck. It measures
// nothing: nearly all end in a fraction of a second, also under the race detector,
// but a machine with much else to do may need a hundred times that. What a test
// expects to live on must live for longer.
const stuck = time.Minute

// TestMain lets the test binary be its own helper command, and checks at the
// end of the run that nothing is left of it: no goroutine, and none of what
// takeStock counts.
func TestMain(m *testing.M) {
	if name, args := requestedHelper(); name != "" {
		os.Exit(runHelper(name, args))
	}
	os.Setenv(helperEnv, noHelper)
	if _, ok := os.LookupEnv("GORACE"); !ok {
		// Spare each helper command the second that it sleeps at exit when
		// it is built with the race detector.
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	if runtime.GOOS == "windows" {
		// LookPath depends on it, and the tests want one behaviour.
		os.Setenv("NoDefaultCurrentDirectoryInExePath", "TRUE")
	}

	before := takeStock()
	code := m.Run()
	if code == 0 {
		for _, problem := range leftOver(before) {
			fmt.Fprintln(os.Stderr, "xexec_test:", problem)
			code = 1
		}
	}
	os.Exit(code)
}

// leftOver reports what the tests have leaked, and the helper commands that
// none of them used.
func leftOver(before stock) (problems []string) {
	if err := leakedGoroutines(goleak.IgnoreTopFunction("example.com/xexec.forkForever")); err != nil {
		problems = append(problems, err.Error())
	}
	problems = append(problems, before.leaks()...)
	if !fullRun() || !canStartProcesses() {
		return problems
	}
	for name := range helpers {
		if _, ok := helperUsed.Load(name); !ok {
			problems = append(problems, fmt.Sprintf("no test used the helper command %q", name))
		}
	}
	return problems
}

// leakedGoroutines is goleak.Find with the patience that a goroutine may need which
// is about to end, and does not get a processor.
func leakedGoroutines(ignored ...goleak.Option) (err error) {
	for end := time.Now().Add(stuck / 4); ; {
		if err = goleak.Find(ignored...); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// fullRun reports whether no test is left out, by flags or for lack of something.
func fullRun() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return !testing.Short() && os.Getenv(withoutEnv) == ""
}

// A helper is a command that the test binary can be. Its result is the exit
// code.
type helper func(args []string) int

var (
	helpers    = make(map[string]helper)
	helperUsed sync.Map
)

// registerHelper is called by an init function of the file that uses the
// helper command. A full run in which no test uses it fails.
func registerHelper(name string, f helper) {
	if helpers[name] != nil {
		panic("duplicate helper command: " + name)
	}
	helpers[name] = f
}

func requestedHelper() (name string, args []string) {
	if len(os.Args) > 2 && os.Args[1] == helperArg {
		return os.Args[2], os.Args[3:]
	}
	if slices.Contains(os.Args, "-test.fuzzworker") {
		return "", nil // started by the tests' own fuzzer, with their environment
	}
	return os.Getenv(helperEnv), os.Args[1:]
}

func runHelper(name string, args []string) int {
	// No helper command survives a failed test for long.
	time.AfterFunc(4*stuck, func() { os.Exit(125) })
	f := helpers[name]
	if f == nil {
		fmt.Fprintf(os.Stderr, "no helper command %q\n", name)
		return 126
	}
	return f(args)
}

// needHelper skips the test where no process can be started, and returns what
// runs the helper command: the test binary and its arguments.
func needHelper(t testing.TB, name string, args ...string) (exe string, argv []string) {
	t.Helper()
	helperUsed.Store(name, true)
	if !canStartProcesses() {
		t.Skipf("%s cannot start processes", runtime.GOOS)
	}
	if helpers[name] == nil {
		t.Fatalf("no helper command %q", name)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe, append([]string{helperArg, name}, args...)
}

func canStartProcesses() bool {
	switch runtime.GOOS {
	case "js", "wasip1", "ios":
		return false
	}
	return true
}

// helperCmd returns a command that runs the named helper command.
func helperCmd(t testing.TB, name string, args ...string) *xexec.Cmd {
	t.Helper()
	exe, argv := needHelper(t, name, args...)
	return xexec.Command(exe, argv...)
}

// helperCmdContext is helperCmd with a context.
func helperCmdContext(ctx context.Context, t testing.TB, name string, args ...string) *xexec.Cmd {
	t.Helper()
	exe, argv := needHelper(t, name, args...)
	return xexec.CommandContext(ctx, exe, argv...)
}

// stdHelperCmd is helperCmd for os/exec.
func stdHelperCmd(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	exe, argv := needHelper(t, name, args...)
	return exec.Command(exe, argv...)
}

// stdHelperCmdContext is helperCmdContext for os/exec.
func stdHelperCmdContext(ctx context.Context, t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	exe, argv := needHelper(t, name, args...)
	return exec.CommandContext(ctx, exe, argv...)
}

// deadline makes a test that is not over after d crash the run, with the
// stacks of all goroutines. Call it after t.Parallel, which may wait for long.
func deadline(t testing.TB, d time.Duration) {
	name := t.Name()
	timer := time.AfterFunc(d, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("%s is not over after %v", name, d))
	})
	t.Cleanup(func() { timer.Stop() })
}
