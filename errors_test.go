package xexec_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// nullSignal changes nothing, where there is such a signal.
var nullSignal os.Signal

// uncomparable is an error whose comparison panics.
type uncomparable []string

func (u uncomparable) Error() string { return strings.Join(u, " ") }

func TestCauseThatCannotBeCompared(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	ctx, cancel := context.WithCancelCause(t.Context())
	c := xtest.Helper(t, "serve", "0")
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.StartContext(ctx); err != nil {
		t.Fatal(err)
	}
	cancel(uncomparable{"not", "comparable"})
	var u uncomparable
	if err := c.Wait(); errors.As(err, &u) || !strings.Contains(err.Error(), "not comparable") {
		t.Errorf("Wait: %v", err)
	}
	if err := xtest.Helper(t, "exit", "0").RunContext(ctx); errors.As(err, &u) || !strings.Contains(err.Error(), "not comparable") {
		t.Errorf("RunContext with an ended context: %v", err)
	}
}

// An answer is a context of a caller's with methods of its own. What it does not
// answer, a context with nothing to say does.
type answer struct {
	done  chan struct{}
	err   error
	value any
}

func newAnswer(err error) *answer { return &answer{done: make(chan struct{}), err: err} }

func (a *answer) Deadline() (time.Time, bool) { return time.Time{}, false }
func (a *answer) Done() <-chan struct{}       { return a.done }
func (a *answer) Value(any) any               { return a.value }

// Err is nil before the end, and may be nil after it.
func (a *answer) Err() error {
	select {
	case <-a.done:
		return a.err
	default:
		return nil
	}
}

// A context that has ended has an error for us, whatever it answers.
func TestEndedContextWithoutError(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for name, ctxErr := range map[string]error{
		"none": nil, "uncomparable": uncomparable{"a", "list"}, "its own": testkit.ErrBroken,
	} {
		ended := func() context.Context { a := newAnswer(ctxErr); close(a.done); return a }
		check := func(what string, err error) {
			t.Helper()
			switch {
			case err == nil || err.Error() == "":
				t.Errorf("%s: %s: no error", name, what)
			case ctxErr == nil && !errors.Is(err, context.Canceled):
				t.Errorf("%s: %s: %v, want context.Canceled", name, what, err)
			case ctxErr != nil && !strings.Contains(err.Error(), ctxErr.Error()):
				t.Errorf("%s: %s: %v, want %v", name, what, err, ctxErr)
			}
		}
		for what, run := range contextMethods {
			c := xtest.Helper(t, "exit", "0")
			check(what+" with a context that has ended", run(c, ended()))
			if c.Process != nil {
				t.Errorf("%s: %s started a process", name, what)
			}
			c = xtest.Helper(t, "serve", "0")
			if _, err := c.StdinPipe(); err != nil {
				t.Fatal(err)
			}
			a := newAnswer(ctxErr)
			var watcher sync.WaitGroup
			watcher.Go(func() {
				for c.Pid() == 0 {
					time.Sleep(time.Millisecond)
				}
				close(a.done)
			})
			check(what, run(c, a))
			watcher.Wait()
			if c.Cause() == nil {
				t.Errorf("%s: %s: no Cause", name, what)
			}
		}
		c, stop := xtest.StartServing(t, "0")
		check("WaitContext", c.WaitContext(ended()))
		if nullSignal != nil {
			d := xtest.Helper(t, "serve", "0")
			d.SetStopSignal(nullSignal)
			if _, err := d.StdinPipe(); err != nil {
				t.Fatal(err)
			}
			if err := d.Start(); err != nil {
				t.Fatal(err)
			}
			check("Shutdown", d.Shutdown(ended()))
			d.Wait()
		}
		stop()
		c.Wait()
		if err := c.WaitContext(ended()); err != nil {
			t.Errorf("%s: WaitContext of a complete command: %v", name, err)
		}

		c = xtest.HelperContext(ended(), t, "exit", "0")
		check("Start", c.Start())
		a := newAnswer(ctxErr)
		c = xtest.HelperContext(a, t, "serve", "0")
		c.Cancel = func() error { return c.Kill() }
		xtest.StartServingCmd(t, c)
		close(a.done)
		var exit *xexec.ExitError
		if err := c.Wait(); !errors.As(err, &exit) {
			t.Errorf("%s: Wait: %v", name, err)
		}
		if c.Cause() == nil {
			t.Errorf("%s: no Cause", name)
		}
	}
}
