package cause

import (
	"context"
	"runtime"
	"weak"
)

// A Watch is what a context has of somebody who waits for its end. The context
// holds it; the one who waits does not, as a context's values may lead back to him.
type Watch struct{ watch weak.Pointer[registration] }

type registration struct{ stop func() bool }

// On calls f in a goroutine of its own when ctx ends. No goroutine watches, save for
// a ctx with a Done channel that is not package context's: see context.AfterFunc.
// It calls methods of ctx, so the caller holds no lock.
func On(ctx context.Context, f func(*Reason)) Watch {
	if ctx.Done() == nil {
		return Watch{}
	}
	reg := new(registration)
	reg.stop = afterFunc(ctx, func() {
		f(Of(ctx))
		runtime.KeepAlive(reg)
	})
	return Watch{weak.Make(reg)}
}

// Stop ends the watching. It calls methods of the context, like On.
func (w Watch) Stop() {
	if reg := w.watch.Value(); reg != nil {
		reg.stop()
	}
}

// Done is ctx.Done, also for a nil ctx.
func Done(ctx context.Context) <-chan struct{} {
	if ctx == nil {
		return nil
	}
	return ctx.Done()
}

// afterFunc is context.AfterFunc, also for a ctx that has no error when it has ended,
// for which that panics.
func afterFunc(ctx context.Context, f func()) (stop func() bool) {
	if own, ok := ctx.(afterFuncer); ok {
		return context.AfterFunc(struct {
			erring
			afterFuncer
		}{erring{ctx}, own}, f)
	}
	return context.AfterFunc(erring{ctx}, f)
}

// An afterFuncer needs no goroutine to tell of its end.
type afterFuncer interface {
	AfterFunc(func()) func() bool
}

// An erring has an error when it has ended.
type erring struct{ context.Context }

func (c erring) Err() error {
	err := c.Context.Err()
	if err == nil && Ended(c) {
		return context.Canceled
	}
	return err
}
