package cause

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"
)

type uncomparable []string

func (u uncomparable) Error() string { return u[0] }

func TestErrorNamesTheContextAndHowTheCommandEnded(t *testing.T) {
	why, exit, failed := errors.New("why"), &fs.PathError{Op: "exit", Path: "it", Err: os.ErrInvalid}, errors.New("cancel failed")
	another := &os.SyscallError{Syscall: "another", Err: os.ErrClosed}
	for _, test := range []struct {
		cause, how, also error
		text             string
	}{
		{nil, nil, nil, "context canceled"},
		{nil, context.Canceled, nil, "context canceled"},
		{nil, exit, nil, "context canceled: exit it: invalid argument"},
		{why, nil, nil, "context canceled: why"},
		{why, exit, failed, "context canceled: why: exit it: invalid argument"},
		{another, exit, nil, "context canceled: another: file already closed: exit it: invalid argument"},
		{uncomparable{"list"}, exit, nil, "context canceled: list: exit it: invalid argument"},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(test.cause)
		err := Of(ctx).Error(test.how, test.also)
		if err.Error() != test.text {
			t.Errorf("%q, want %q", err, test.text)
		}
		for _, found := range []error{context.Canceled, test.cause, test.how, test.also} {
			if _, not := found.(uncomparable); found != nil && !not && !errors.Is(err, found) {
				t.Errorf("%q: errors.Is does not find %v", err, found)
			}
		}
		var pathError *fs.PathError
		if errors.As(err, &pathError) != (test.how == exit) {
			t.Errorf("%q: errors.As finds %v", err, pathError)
		}
		var syscallError *os.SyscallError
		if errors.As(err, &syscallError) {
			t.Errorf("%q: errors.As finds %v in the cause", err, syscallError)
		}
		if plain := err == context.Canceled; plain != (test.cause == nil && (test.how == nil || test.how == context.Canceled)) {
			t.Errorf("%q is context.Canceled: %v", err, plain)
		}
	}
}

func TestOutputLimit(t *testing.T) {
	exit := &fs.PathError{Op: "exit", Path: "it", Err: os.ErrInvalid}
	var found *fs.PathError
	if err := (Facts{Limited: true, Exit: exit}).Error(); !errors.Is(err, ErrOutputLimit) || !errors.As(err, &found) || err.Error() != "xexec: output limit exceeded: exit it: invalid argument" {
		t.Error(err)
	}
	if err := (Facts{Limited: true}).Error(); !errors.Is(err, ErrOutputLimit) || err.Error() != ErrOutputLimit.Error() {
		t.Error(err)
	}
}

func TestFactsAreToldInOrder(t *testing.T) {
	exit, failed, copied, delay := errors.New("exit"), errors.New("cancel"), errors.New("copy"), errors.New("delay")
	why := &Reason{Err: context.Canceled, Cause: context.Canceled}
	for _, test := range []struct {
		facts Facts
		want  string
	}{
		{Facts{}, "<nil>"},
		{Facts{Copy: copied}, "copy"},
		{Facts{Copy: copied, CutShort: true, WaitDelay: delay}, "delay"},
		{Facts{Copy: copied, DelayKilled: true}, "<nil>"},
		{Facts{Copy: copied, Cancel: failed}, "cancel"},
		{Facts{Copy: copied, Cancel: failed, Exit: exit}, "exit"},
		{Facts{Copy: copied, Context: why}, "context canceled"},
		{Facts{Copy: copied, Context: why, Exit: exit}, "exit"},
		{Facts{Copy: copied, Context: why, Bound: true}, "context canceled"},
		{Facts{Exit: exit, Context: why, Bound: true}, "context canceled: exit"},
		{Facts{Exit: exit, Cancel: failed, Context: why, Bound: true}, "context canceled: exit"},
		{Facts{Cancel: failed, Context: why, Bound: true}, "context canceled"},
		{Facts{Exit: exit, Bound: true}, "exit"},
		{Facts{Exit: exit, Copy: copied, Limited: true}, "xexec: output limit exceeded: exit"},
		{Facts{Exit: exit, Limited: true, Context: why, Bound: true}, "context canceled: xexec: output limit exceeded: exit"},
	} {
		got := "<nil>"
		if err := test.facts.Error(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%+v: %s, want %s", test.facts, got, test.want)
		}
	}
}

// registering is a context that tells of its end only those who ask before it. (One like
// it is in the tests of package context.)
type registering struct{ context.Context }

func (registering) AfterFunc(func()) (stop func() bool) { return func() bool { return true } }

func TestOnOfAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	told := make(chan *Reason)
	On(registering{ctx}, func(why *Reason) { told <- why })
	select {
	case why := <-told:
		if why.Err != context.Canceled {
			t.Error(why)
		}
	case <-time.After(5 * time.Second):
		t.Error("nobody is told")
	}
}

// The error of a Cancel is not hidden where it is the context's, and else keeps only what
// errors.Is finds.
func TestErrorOfACancel(t *testing.T) {
	another := &fs.PathError{Op: "exit", Path: "another", Err: os.ErrInvalid}
	for _, cancel := range []error{context.Canceled, fmt.Errorf("canceling: %w", another)} {
		for _, bound := range []bool{false, true} {
			err := Facts{Bound: bound, Cancel: cancel}.Error()
			var found *fs.PathError
			wraps := cancel != context.Canceled
			if (err == cancel) != (!bound || !wraps) || !errors.Is(err, cancel) || err.Error() != cancel.Error() || errors.As(err, &found) != (wraps && !bound) {
				t.Errorf("bound %v: %#v", bound, err)
			}
		}
	}
}
