package differential_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func TestDoneContextStartsNothing(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		cancelled, cancel := context.WithCancelCause(t.Context())
		cancel(testkit.ErrBroken)
		expired, cancelExpired := context.WithTimeout(t.Context(), -1)
		defer cancelExpired()
		for ctx, want := range map[context.Context]error{
			cancelled: context.Canceled,
			expired:   context.DeadlineExceeded,
		} {
			c := p.HelperContext(ctx, t, "exit", "0")
			// With this the attempt would give another error.
			c.Std().Dir = filepath.Join(t.TempDir(), "missing")
			in, err := c.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != want {
				t.Errorf("Start: %v", err)
			}
			if c.Std().Process != nil {
				t.Error("Process is set")
			}
			if _, err := in.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
				t.Errorf("the pipe is open: %v", err)
			}
		}
	})
}

func TestCancelNeedsAContext(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		c := p.Helper(t, "exit", "0")
		c.Std().Cancel = func() error { panic("called") }
		const want = "exec: command with a non-nil Cancel was not created with CommandContext"
		if err := c.Start(); err == nil || err.Error() != want {
			t.Errorf("Start: %v", err)
		}
		if c.Std().Process != nil {
			t.Error("Process is set")
		}
	})
}

func TestNilContextPanics(t *testing.T) {
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		defer func() {
			if v := recover(); v != "nil Context" {
				t.Errorf("panic with %v", v)
			}
		}()
		var none context.Context
		p.CommandContext(none, "name")
	})
}

func TestCancelIsNotCalledWhenStartFails(t *testing.T) {
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		missing := filepath.Join(t.TempDir(), "missing")
		// In a bubble it is known when all that the end of the context
		// has set off is over.
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			c := p.CommandContext(ctx, missing)
			c.Std().WaitDelay = time.Second
			var calls atomic.Int32
			c.Std().Cancel = func() error { calls.Add(1); return nil }
			if err := c.Start(); err == nil {
				t.Fatal("Start of a missing program succeeds")
			}
			cancel()
			synctest.Wait()
			time.Sleep(time.Minute)
			if n := calls.Load(); n != 0 {
				t.Errorf("Cancel was called %d times", n)
			}
		})
	})
}

func TestErrorOfCancelIsNamed(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := p.HelperContext(ctx, t, "serve", "0")
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		c.Std().Cancel = func() error { in.Close(); return testkit.ErrBroken }
		xtest.StartReady(t, c)
		cancel()
		err = c.Wait()
		if err == nil || err.Error() != "exec: canceling Cmd: broken on purpose" || errors.Unwrap(err) != testkit.ErrBroken {
			t.Errorf("Wait: %v", err)
		}
	})
}

func TestWaitDelayKillsWithoutCancel(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := p.HelperContext(ctx, t, "serve", "0")
		c.Std().Cancel, c.Std().WaitDelay = nil, short
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		xtest.StartReady(t, c)
		cancel()
		var exit *exec.ExitError
		if err := c.Wait(); !errors.As(err, &exit) {
			t.Errorf("Wait: %v", err)
		}
	})
}

// The child leaves a process behind that holds its output. It is killed, or
// ends by itself, some time after the end of the context, and Wait must not
// grant its output another full WaitDelay from there.
func TestWaitDelayIsOnePeriodFromTheEndOfTheContext(t *testing.T) {
	t.Parallel()
	testkit.Deadline(t, 2*testkit.Stuck)
	// Where the delay begins again, it does so however long it is. Elsewhere, one that
	// is long enough makes nothing of it that the machine is slow.
	late := make(map[string]bool)
	for delay := time.Second; delay <= 16*time.Second; delay *= 4 {
		if late = testWaitDelayIsOnePeriod(t, delay); len(late) == 0 {
			return
		}
	}
	for how := range late {
		t.Errorf("%s: WaitDelay has begun again", how)
	}
}

// testWaitDelayIsOnePeriod returns in which ways Wait has returned as late as if
// the delay had begun again when the child ended.
func testWaitDelayIsOnePeriod(t *testing.T, delay time.Duration) (late map[string]bool) {
	late = make(map[string]bool)
	var mu sync.Mutex
	var all sync.WaitGroup
	defer all.Wait()
	for _, p := range []xtest.Package{xtest.Std, xtest.X} {
		for how, end := range map[string]time.Duration{
			"is killed":      delay,
			"ends by itself": delay * 4 / 5,
		} {
			ctx, cancel := context.WithCancel(t.Context())
			c := p.HelperContext(ctx, t, "hold", testkit.HolderAddr(t), "serve", "0")
			c.Std().Cancel, c.Std().WaitDelay = nil, delay
			in, err := c.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			xtest.StartReady(t, c)
			cancel()
			cancelled := time.Now()
			if end < delay {
				time.AfterFunc(end, func() { in.Close() })
			}
			all.Go(func() {
				err := c.Wait()
				took := time.Since(cancelled)
				if err == nil || took < delay {
					t.Errorf("%s: a child that %s: Wait returns %v after %v", p.Name, how, err, took)
				}
				if took >= end+delay {
					mu.Lock()
					defer mu.Unlock()
					late[fmt.Sprintf("%s: a child that %s", p.Name, how)] = true
				}
			})
		}
	}
	return late
}
