//go:build unix

package main

import (
	"context"
	"math/rand/v2"
	"strconv"
	"syscall"
	"time"

	"example.com/xexec"
)

func init() {
	scenarios = append(scenarios,
		scenario{"stop signal", stopSignal}, scenario{"stop signal", stopSignal},
	)
	systemChildren["catch"] = func(args []string) int {
		sig, _ := strconv.Atoi(args[0])
		return trap(syscall.Signal(sig), args[1])
	}
}

// Of the deadly ones, our children die when they do not catch them.
var (
	catchable = []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}
	deadly    = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL}
)

// stopSignal is a command that has a stop signal of its own, and catches it or
// dies of it.
func stopSignal(rnd *rand.Rand) {
	const what = "stop signal"
	var c *xexec.Cmd
	var sig syscall.Signal
	code := -1
	if rnd.IntN(2) == 0 {
		sig, code = catchable[rnd.IntN(len(catchable))], 7
		c = command("catch", strconv.Itoa(int(sig)), strconv.Itoa(rnd.IntN(60)))
	} else {
		sig = deadly[rnd.IntN(len(deadly))]
		c = command("linger", "300000")
	}
	c.SetStopSignal(sig)
	c.SetTree(rnd.IntN(2) == 0)
	c.Cancel = c.Terminate
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	out, err := c.StdoutPipe()
	spoil(c, err)
	if !begun(what, c, c.StartContext(ctx)) {
		return
	}
	if code != -1 {
		out.Read(make([]byte, 10)) // it listens
	}
	result := waiters(what, rnd, c)
	time.Sleep(lifetime(rnd))
	switch rnd.IntN(3) {
	case 0:
		err = c.Terminate()
	case 1:
		err = c.Shutdown(context.Background())
	case 2:
		cancel(errCause)
	}
	if err != nil {
		fail("%s: %v: %v", what, sig, err)
	}
	err = result()
	if ended := expectEnd(ctx, what, c, err, code, code); ended != (context.Cause(ctx) != nil) {
		fail("%s: %v, Cause: %v, that of the context: %v", what, err, c.Cause(), context.Cause(ctx))
	}
	status := c.ProcessState.Sys().(syscall.WaitStatus)
	if code == -1 && status.Signal() != sig {
		fail("%s: %v: died of %v", what, sig, status.Signal())
	}
	finished(what, c, err)
}
