package cause

import (
	"cmp"
	"context"
	"runtime"
	"weak"
)

// A Watch is what a context has of somebody who waits for its end. The context holds
// what stops it; the one who waits does not, as a context's values may lead back to him.
type Watch struct{ stop weak.Pointer[func() bool] }

// On calls f in a goroutine of its own when ctx ends. No goroutine watches, save for
// a ctx with a Done channel that is not package context's: see context.AfterFunc.
// It calls methods of ctx, so the caller holds no lock.
func On(ctx context.Context, f func(*Reason)) Watch {
	if ctx.Done() == nil {
		return Watch{}
	}
	stop := new(func() bool)
	ended := func() {
		f(Of(ctx))
		runtime.KeepAlive(stop)
	}
	var c context.Context = erring{ctx}
	if own, ok := ctx.(afterFuncer); ok {
		c = struct {
			erring
			afterFuncer
		}{erring{ctx}, own} // erring would hide this method
	}
	*stop = context.AfterFunc(c, ended)
	return Watch{weak.Make(stop)}
}

// An afterFuncer needs no goroutine to tell of its end. It may tell of none that was
// before, for which context.AfterFunc looks first.
type afterFuncer interface{ AfterFunc(func()) func() bool }

// Stop ends the watching. It calls methods of the context, like On.
func (w Watch) Stop() {
	if stop := w.stop.Value(); stop != nil {
		(*stop)()
	}
}

// Done is ctx.Done, also for a nil ctx.
func Done(ctx context.Context) <-chan struct{} {
	if ctx == nil {
		return nil
	}
	return ctx.Done()
}

// Ended reports whether ctx, which may be nil, has ended.
func Ended(ctx context.Context) bool {
	select {
	case <-Done(ctx):
		return true
	default:
		return false
	}
}

// An erring is a context whose error is asked for once it has ended. A caller's own may
// have none even then, for which context.AfterFunc panics.
type erring struct{ context.Context }

func (c erring) Err() error { return cmp.Or(c.Context.Err(), context.Canceled) }
