package main

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"time"

	"example.com/xexec"
)

// A scenario runs one command, in one of the ways in which programs do. Those
// that take longest make up most of what is alive.
type scenario struct {
	name string
	play func(rnd *rand.Rand)
}

var scenarios = []scenario{
	{"output", output}, {"output", output},
	{"pipes", pipes},
	{"late reader", lateReader},
	{"served", served}, {"served", served}, {"served", served}, {"served", served}, {"served", served},
	{"shared", shared}, {"shared", shared}, {"shared", shared},
	{"signalled", signalled}, {"signalled", signalled},
	{"shut down", shutDown}, {"shut down", shutDown},
	{"cancelled", cancelled}, {"cancelled", cancelled},
	{"bound", bound}, {"bound", bound}, {"bound", bound},
	{"held", held},
	{"no such program", missing},
	{"pipeline", pipeline},
	{"broken", broken},
	{"adopted", adopted}, {"adopted", adopted},
	{"cloned", cloned},
	{"dies with us", diesWithUs},
}

// begin starts a command, unless a pipe could not be made for it, and reports
// whether it was started.
func begin(what string, c *xexec.Cmd, pipeErrs ...error) bool {
	spoil(c, pipeErrs...)
	return begun(what, c, c.Start())
}

// spoil makes the start of a command fail, and thereby close its pipes, if one of
// them could not be made.
func spoil(c *xexec.Cmd, pipeErrs ...error) {
	if err := errors.Join(pipeErrs...); err != nil {
		c.Err = err
	}
}

// begun reports whether a command was started, which must not fail, save for
// want of what this system does not have, or of descriptors while they are short.
func begun(what string, c *xexec.Cmd, err error) bool {
	switch {
	case c.Process != nil:
		started.Add(1)
		return true
	case errors.Is(err, errors.ErrUnsupported):
	case short.Load() && isShortage(err):
		refused.Add(1)
		time.Sleep(100 * time.Millisecond)
	default:
		fail("%s: Start: %v", what, err)
	}
	return false
}

// finished checks that a command is over, in every way.
func finished(what string, c *xexec.Cmd, err error) {
	waited.Add(1)
	if done, again := c.TryWait(); !done || again != err {
		fail("%s: Wait: %v, TryWait: %v %v", what, err, done, again)
	}
	select {
	case <-c.Done():
	default:
		fail("%s: Done is open after Wait", what)
	}
	if err := c.Kill(); err != os.ErrProcessDone {
		fail("%s: Kill after Wait: %v", what, err)
	}
	if c.ProcessState == nil {
		fail("%s: no ProcessState", what)
	}
}

// lifetime is how long a command stays alive that is not to end at once.
func lifetime(rnd *rand.Rand) time.Duration {
	return time.Duration(rnd.IntN(4000)) * time.Millisecond
}

// startServing starts a command that ends with the code when stop is called. It
// returns nil if that failed.
func startServing(what string, code int) (c *xexec.Cmd, stop func()) {
	c = command("serve", strconv.Itoa(code))
	in, err := c.StdinPipe()
	if !begin(what, c, err) {
		return nil, nil
	}
	return c, func() { in.Close() }
}

func expectCode(what string, err error, code int) {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == code || err == nil && code == 0 {
		return
	}
	fail("%s: %v, want code %d", what, err, code)
}

func served(rnd *rand.Rand) {
	code := rnd.IntN(3)
	c, stop := startServing("served", code)
	if c == nil {
		return
	}
	timer := time.AfterFunc(lifetime(rnd), stop)
	defer timer.Stop()
	err := c.Wait()
	expectCode("served", err, code)
	finished("served", c, err)
}

func signalled(rnd *rand.Rand) {
	c, _ := startServing("signalled", 0)
	if c == nil {
		return
	}
	time.AfterFunc(lifetime(rnd), func() {
		if err := c.Kill(); err != nil {
			fail("Kill: %v", err)
		}
		killed.Add(1)
	})
	err := c.Wait()
	expectCode("signalled", err, -1)
	finished("signalled", c, err)
}

func shutDown(rnd *rand.Rand) {
	delay := rnd.IntN(60)
	c := command("trap", strconv.Itoa(delay))
	out, err := c.StdoutPipe()
	if !begin("shut down", c, err) {
		return
	}
	out.Read(make([]byte, 10)) // it listens
	time.Sleep(lifetime(rnd) / 2)
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Duration(rnd.IntN(120))*time.Millisecond, errCause)
	defer cancel()
	results := make(chan error)
	for range 2 {
		go func() { results <- c.Shutdown(ctx) }()
	}
	first, second := <-results, <-results
	if first != second {
		fail("Shutdown: %v, another: %v", first, second)
	}
	err = c.Wait()
	switch {
	case first == nil:
		expectCode("shut down", err, 7)
	case errors.Is(first, errCause):
		killed.Add(1)
		expectCode("shut down by force", err, -1)
	default:
		fail("Shutdown: %v", first)
	}
	finished("shut down", c, err)
}

func missing(*rand.Rand) {
	c := xexec.Command(exe + " does not exist")
	c.Stdout, c.Stdin = new(bytes.Buffer), new(bytes.Buffer)
	c.StderrPipe()
	if err := c.Run(); !errors.Is(err, os.ErrNotExist) {
		begun("a missing program", c, err)
	}
}

// adopted is a command that os/exec has started.
func adopted(rnd *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), lifetime(rnd))
	defer cancel()
	c := command("serve", "6")
	if rnd.IntN(2) == 0 {
		c = xexec.CommandContext(ctx, c.Path, c.Args[1:]...)
	}
	in, err := c.StdinPipe()
	var out bytes.Buffer
	c.Stdout = &out
	spoil(c, err)
	err = c.Std().Start()
	if prevented(ctx, c, err) || !begun("adopted", c, err) {
		return
	}
	time.AfterFunc(lifetime(rnd), func() { in.Close() })
	err = waiters("adopted", rnd, c)()
	if code := c.ProcessState.ExitCode(); code != 6 && ctx.Err() == nil {
		fail("adopted: %v, %v", err, c.ProcessState)
	}
	finished("adopted", c, err)
}

// cloned is a command that is run twice, by way of a clone.
func cloned(rnd *rand.Rand) {
	text := stream{1000, rnd.Uint64()}
	c := text.sayer(5, 0)
	for range 2 {
		out, err := c.CombinedOutput()
		if begun("cloned", c, err) {
			text.expect("cloned", out)
			expectCode("cloned", err, 5)
			finished("cloned", c, err)
		}
		c = c.Clone()
	}
}

func diesWithUs(rnd *rand.Rand) {
	c := command("serve", "1")
	c.SetKillOnParentExit(true)
	in, err := c.StdinPipe()
	if !begin("dies with us", c, err) {
		return
	}
	time.AfterFunc(lifetime(rnd), func() { in.Close() })
	err = c.Wait()
	expectCode("dies with us", err, 1)
	finished("dies with us", c, err)
}
