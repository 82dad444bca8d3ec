package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"time"

	"example.com/xexec"
)

var errCause = errors.New("the soak's cause")

// ending returns a context that ends at some moment in a lifetime, in one of the
// ways in which contexts do.
func ending(rnd *rand.Rand) (context.Context, context.CancelFunc) {
	after := lifetime(rnd)
	if rnd.IntN(8) == 0 {
		after = 0
	}
	switch rnd.IntN(4) {
	case 0:
		return context.WithTimeout(context.Background(), after)
	case 1:
		return context.WithTimeoutCause(context.Background(), after, errCause)
	case 2:
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(after, cancel)
		return ctx, cancel
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(after, func() { cancel(errCause) })
	return ctx, func() { cancel(nil) }
}

// prevented reports whether a command was not started because ctx had ended.
func prevented(ctx context.Context, c *xexec.Cmd, err error) bool {
	return c.Process == nil && ctx.Err() != nil && errors.Is(err, ctx.Err())
}

// begunBound is begun for a command that was bound to ctx.
func begunBound(ctx context.Context, what string, c *xexec.Cmd, err error) bool {
	if !prevented(ctx, c, err) {
		return begun(what, c, err)
	}
	if !errors.Is(err, context.Cause(ctx)) || c.Cause() != nil {
		fail("%s: not started: %v, Cause: %v, that of the context: %v", what, err, c.Cause(), context.Cause(ctx))
	}
	return false
}

// expectEnd checks that either ctx has ended a command that was bound to it, which
// then exited with endedCode, or the command has come to its own end with ownCode.
// It reports which.
func expectEnd(ctx context.Context, what string, c *xexec.Cmd, err error, endedCode, ownCode int) (ended bool) {
	var exit *exec.ExitError
	switch c.Cause() {
	case nil:
		expectCode(what, err, ownCode)
		if err != nil && (errors.Is(err, context.Cause(ctx)) || errors.Is(err, ctx.Err())) {
			fail("%s: %v, and no Cause", what, err)
		}
		return false
	case context.Cause(ctx):
		killed.Add(1)
		if !errors.As(err, &exit) || exit.ExitCode() != endedCode || !errors.Is(err, context.Cause(ctx)) || !errors.Is(err, ctx.Err()) {
			fail("%s: %v, want code %d, Cause: %v", what, err, endedCode, c.Cause())
		}
		return true
	}
	fail("%s: %v, Cause: %v, that of the context: %v", what, err, c.Cause(), context.Cause(ctx))
	return true
}

// bound is a command that is given a context when it starts, and may end before it.
func bound(rnd *rand.Rand) {
	text, code := randomStream(rnd), rnd.IntN(2)*3
	c := text.sayer(code, lifetime(rnd))
	ctx, cancel := ending(rnd)
	defer cancel()
	var out []byte
	var err error
	what := ""
	switch rnd.IntN(4) {
	case 0:
		what, text.size = "RunContext", 0 // nobody sees it
		err = c.RunContext(ctx)
	case 1:
		what = "OutputContext"
		out, err = c.OutputContext(ctx)
	case 2:
		what = "CombinedOutputContext"
		out, err = c.CombinedOutputContext(ctx)
	case 3:
		what = "StartContext"
		var b bytes.Buffer
		c.Stdout = &b
		if err = c.StartContext(ctx); err == nil {
			err = waiters(what, rnd, c)()
			out = b.Bytes()
		}
	}
	if !begunBound(ctx, what, c, err) {
		return
	}
	if expectEnd(ctx, what, c, err, -1, code) {
		text.expectStart(what, out)
	} else {
		text.expect(what, out)
	}
	finished(what, c, err)
}

// cancelled is a command whose input ends with its context, too.
func cancelled(rnd *rand.Rand) {
	ctx, cancel := ending(rnd)
	defer cancel()
	c := command("serve", "0")
	c.Stdin = blocked{ctx}
	c.WaitDelay = time.Minute
	if !begunBound(ctx, "cancelled", c, c.StartContext(ctx)) {
		return
	}
	err := c.Wait()
	expectEnd(ctx, "cancelled", c, err, -1, 0)
	finished("cancelled", c, err)
}

// blocked is an input that ends with the context.
type blocked struct{ ctx context.Context }

func (b blocked) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, io.EOF
}
