// Package cause has the reasons why a command is ended, a start prevented or a wait
// left, and the errors that name them.
//
// Such an error says the context's error first, then its cause, then how the
// command ended. errors.Is finds the context's error and the cause; errors.As finds
// the command's own error and nothing inside the cause, which with errgroup is
// another command's: a command must never report another's exit status.
package cause

import (
	"cmp"
	"context"
	"errors"
)

// A Reason is a context that has ended, or another error that ends a command.
type Reason struct {
	Err   error // Err of the context, or that error
	Cause error // Cause of the context, or that error
}

// Of returns ctx, which has ended, as a Reason.
func Of(ctx context.Context) *Reason {
	err := erring{ctx}.Err()
	return &Reason{err, cmp.Or(context.Cause(ctx), err)}
}

// ErrOutputLimit is in the error of a command that has written too much.
var ErrOutputLimit = errors.New("xexec: output limit exceeded")

// OutputLimit is why such a command is ended.
var OutputLimit = &Reason{ErrOutputLimit, ErrOutputLimit}

// Error returns the error that names r, and how the command has ended. Also is
// another error that errors.Is is to find, what a Cancel has returned. It is plain
// r.Err if there is nothing else to say.
func (r *Reason) Error(how, also error) error {
	if Same(also, r.Err) {
		also = nil
	}
	if Same(how, r.Err) || Same(how, also) {
		how = nil
	}
	if how == nil && also == nil && Same(r.Cause, r.Err) {
		return r.Err
	}
	return &contextError{r, also, how}
}

type contextError struct {
	reason *Reason
	also   error
	how    error
}

func (e *contextError) Error() string {
	s := e.reason.Err.Error()
	if !Same(e.reason.Cause, e.reason.Err) {
		s += ": " + e.reason.Cause.Error()
	}
	if e.how != nil {
		s += ": " + e.how.Error()
	}
	return s
}

func (e *contextError) Is(target error) bool {
	return errors.Is(e.reason.Err, target) || errors.Is(e.reason.Cause, target) || errors.Is(e.also, target)
}

// Unwrap returns how the command has ended.
func (e *contextError) Unwrap() error { return e.how }

// Same reports whether a and b are equal. Values that cannot be compared are not.
func Same(a, b any) bool {
	defer func() { recover() }()
	return a == b
}
