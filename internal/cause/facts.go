package cause

import "errors"

// Facts are what has become of a command, from which its error follows.
type Facts struct {
	Context     *Reason // the context that has ended it, if one has
	Exit        error   // what the exit alone makes of it
	Cancel      error   // what there is to say of an attempt to end it
	Copy        error   // the first error of the copying
	WaitDelay   error   // what to say when CutShort
	CutShort    bool    // WaitDelay has ended the copying
	DelayKilled bool    // WaitDelay has killed the process, and no copying
	Limited     bool    // it has written more than it may
	Bound       bool    // it was started with a context: the error names it
}

// Error returns the error, in os/exec's order: the exit, the Cancel, the context, the
// copying. With Limited or Bound it wraps that. An error of the copying is not told of a
// process that was killed, which may be why.
func (f Facts) Error() error {
	err := f.Exit
	if err == nil {
		err = f.Cancel
	}
	if err == nil && f.Context != nil {
		err = f.Context.Err
	}
	switch {
	case err != nil:
	case f.CutShort:
		err = f.WaitDelay
	case !f.DelayKilled:
		err = f.Copy
	}
	if f.Limited {
		err = OutputLimit.Error(f.Exit, nil)
	}
	switch {
	case f.Bound && f.Context != nil:
		err = f.Context.Error(err, f.Cancel)
	case f.Bound && err != nil && Same(err, f.Cancel) && errors.Unwrap(err) != nil:
		err = opaque{err} // what it wraps may be another command's *ExitError
	}
	return err
}

// An opaque error is one in which errors.As finds nothing.
type opaque struct{ err error }

func (e opaque) Error() string        { return e.err.Error() }
func (e opaque) Is(target error) bool { return errors.Is(e.err, target) }
