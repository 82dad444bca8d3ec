package xtest

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
)

// StartReady starts a command that says when it is ready, and waits for that.
func StartReady(t testing.TB, c Command) {
	t.Helper()
	w := testkit.NewReadyWriter()
	c.Std().Stdout = w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.Ready:
	case <-time.After(testkit.Stuck / 2):
		c.Std().Process.Kill()
		t.Fatal("the command does not become ready")
	}
}

// ExpectClean fails the test if at its end anything is left that was not there
// now, or the next command does not work.
func ExpectClean(t *testing.T) {
	t.Helper()
	testkit.Deadline(t, testkit.Stuck)
	works := func() {
		t.Helper()
		c := Helper(t, "cat", "3")
		c.Stdin = strings.NewReader("still here")
		out, err := c.Output()
		if err == nil || err.Error() != "exit status 3" || string(out) != "still here" {
			t.Errorf("the next command: %q, %v", out, err)
		}
	}
	works() // so that what stays open is open
	before, goroutines := testkit.TakeStock(), goleak.IgnoreCurrent()
	t.Cleanup(func() {
		works()
		if err := testkit.LeakedGoroutines(goroutines); err != nil {
			t.Error(err)
		}
		for _, leak := range before.Leaks() {
			t.Error(leak)
		}
	})
}

// Main is TestMain's body for the packages that test xexec.
func Main(m *testing.M) {
	testkit.Main(m)
}

// Helper returns a command that runs the named helper command.
func Helper(t testing.TB, name string, args ...string) *xexec.Cmd {
	t.Helper()
	exe, argv := testkit.NeedHelper(t, name, args...)
	return xexec.Command(exe, argv...)
}

// HelperContext is Helper with a context.
func HelperContext(ctx context.Context, t testing.TB, name string, args ...string) *xexec.Cmd {
	t.Helper()
	exe, argv := testkit.NeedHelper(t, name, args...)
	return xexec.CommandContext(ctx, exe, argv...)
}

// StartSleep starts a child that is cheap to have and does not end by itself
// for the time of a test. It is killed and reaped at the end.
func StartSleep(t testing.TB) *xexec.Cmd {
	t.Helper()
	c := xexec.Command("sleep", "1000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Kill()
		c.Wait()
	})
	return c
}

// StartServing starts a helper command that runs until its input ends, which
// stop brings about, and then exits with the code.
func StartServing(t testing.TB, code string) (c *xexec.Cmd, stop func()) {
	t.Helper()
	c = Helper(t, "serve", code)
	return c, StartServingCmd(t, c)
}

// StartServingCmd is StartServing for a command that the caller has made.
func StartServingCmd(t testing.TB, c *xexec.Cmd) (stop func()) {
	t.Helper()
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	StartReady(t, xCommand{c})
	t.Cleanup(func() {
		stdin.Close()
		c.Wait()
	})
	return func() { stdin.Close() }
}
