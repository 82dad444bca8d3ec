package testkit

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Stuck is how long a test may take before it counts as stuck. It measures
// nothing: nearly all end in a fraction of a second, also under the race detector,
// but a machine with much else to do may need a hundred times that. What a test
// expects to live on must live for longer.
const Stuck = time.Minute

// Main is TestMain's body. It lets the test binary be its own helper command, and
// checks at the end of the run that nothing is left of it: no goroutine but those
// that are ignored, and none of what TakeStock counts.
func Main(m *testing.M, ignored ...goleak.Option) {
	if name, args := requestedHelper(); name != "" {
		os.Exit(RunHelper(name, args))
	}
	os.Setenv(HelperEnv, NoHelper)
	if _, ok := os.LookupEnv("GORACE"); !ok {
		// Spare each helper command the second that it sleeps at exit when
		// it is built with the race detector.
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	if runtime.GOOS == "windows" {
		// LookPath depends on it, and the tests want one behaviour.
		os.Setenv("NoDefaultCurrentDirectoryInExePath", "TRUE")
	}

	if err := works(); err != nil {
		fmt.Fprintln(os.Stderr, "testkit: os/exec cannot run a command here:", err)
		os.Exit(1) // or each test would fail, and some hang
	}
	before := TakeStock()
	code := m.Run()
	if code == 0 {
		for _, problem := range leftOver(before, ignored) {
			fmt.Fprintln(os.Stderr, "testkit:", problem)
			code = 1
		}
	}
	os.Exit(code)
}

// works runs a command by os/exec.
func works() error {
	if !CanStartProcesses() {
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	return exec.Command(exe, HelperArg, "exit", "0").Run()
}

// leftOver reports what the tests have leaked, and the helper commands that
// none of them used.
func leftOver(before Stock, ignored []goleak.Option) (problems []string) {
	if err := LeakedGoroutines(ignored...); err != nil {
		problems = append(problems, err.Error())
	}
	problems = append(problems, before.Leaks()...)
	if fullRun() && CanStartProcesses() {
		problems = append(problems, unusedHelpers()...)
	}
	return problems
}

// fullRun reports whether no test is left out, by flags or for lack of something.
func fullRun() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return !testing.Short() && !lacking.Load()
}

var lacking atomic.Bool

// Lack skips the test for lack of something in this environment.
func Lack(t testing.TB, why ...any) {
	t.Helper()
	lacking.Store(true)
	t.Skip(why...)
}

// Deadline makes a test that is not over after d crash the run, with the
// stacks of all goroutines. Call it after t.Parallel, which may wait for long.
func Deadline(t testing.TB, d time.Duration) {
	name := t.Name()
	timer := time.AfterFunc(d, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("%s is not over after %v", name, d))
	})
	t.Cleanup(func() { timer.Stop() })
}

// Eventually waits until f returns true.
func Eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(Stuck / 2); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
