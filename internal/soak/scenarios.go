package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
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
	{"held", held},
	{"no such program", missing},
}

var errCause = errors.New("the soak's cause")

var sizes = []int{0, 1, 4096, 65536, 65537, 1 << 20}

// begin starts a command that must start.
func begin(c *xexec.Cmd) bool {
	if err := c.Start(); err != nil {
		fail("Start: %v", err)
		return false
	}
	started.Add(1)
	return true
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

func output(rnd *rand.Rand) {
	size, code := sizes[rnd.IntN(len(sizes))], rnd.IntN(2)*3
	c := command("say", strconv.Itoa(size), strconv.Itoa(code))
	started.Add(1)
	out, err := c.Output()
	transferred.Add(int64(len(out)))
	if len(out) != size || code != c.ProcessState.ExitCode() || (err == nil) != (code == 0) {
		fail("Output: %d bytes of %d, %v, want code %d", len(out), size, err, code)
	}
	finished("Output", c, err)
}

func pipes(rnd *rand.Rand) {
	data := make([]byte, sizes[rnd.IntN(len(sizes))])
	for i := range data {
		data[i] = byte(i * i)
	}
	c := command("cat")
	in, err1 := c.StdinPipe()
	out, err2 := c.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil || !begin(c) {
		fail("pipes: %v", err)
		return
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		got, err := io.ReadAll(out)
		transferred.Add(int64(len(got)))
		if err != nil || !bytes.Equal(got, data) {
			fail("pipes: %d bytes of %d, %v", len(got), len(data), err)
		}
	})
	in.Write(data)
	in.Close()
	err := c.Wait()
	if err != nil {
		fail("pipes: Wait: %v", err)
	}
	reading.Wait()
	finished("pipes", c, err)
}

func lateReader(rnd *rand.Rand) {
	c := command("say", "4096", "0")
	out, err := c.StdoutPipe()
	if err != nil || !begin(c) {
		fail("late reader: %v", err)
		return
	}
	err = c.Wait()
	if got, err := io.ReadAll(out); err != nil || len(got) != 4096 {
		fail("late reader: %d bytes, %v", len(got), err)
	}
	finished("late reader", c, err)
}

// startServing starts a command that ends with the code when stop is called.
func startServing(code int) (c *xexec.Cmd, stop func()) {
	c = command("serve", strconv.Itoa(code))
	in, err := c.StdinPipe()
	if err != nil || !begin(c) {
		fail("StdinPipe: %v", err)
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
	c, stop := startServing(code)
	if c == nil {
		return
	}
	timer := time.AfterFunc(lifetime(rnd), stop)
	defer timer.Stop()
	err := c.Wait()
	expectCode("served", err, code)
	finished("served", c, err)
}

func shared(rnd *rand.Rand) {
	c, stop := startServing(5)
	if c == nil {
		return
	}
	results := make(chan error)
	ways := []func(){
		func() { results <- c.Wait() },
		func() { <-c.Done(); results <- c.Wait() },
		func() { results <- c.WaitContext(context.Background()) },
		func() {
			for {
				ctx, cancel := context.WithTimeoutCause(context.Background(), 100*time.Millisecond, errCause)
				err := c.WaitContext(ctx)
				cancel()
				if err != errCause {
					results <- err
					return
				}
			}
		},
		func() {
			for {
				if done, err := c.TryWait(); done {
					results <- err
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		},
	}
	n := 1 + rnd.IntN(6)
	for range n {
		go ways[rnd.IntN(len(ways))]()
	}
	time.AfterFunc(lifetime(rnd), stop)
	err := <-results
	for range n - 1 {
		if other := <-results; other != err {
			fail("shared: %v, another waiter: %v", err, other)
		}
	}
	expectCode("shared", err, 5)
	finished("shared", c, err)
}

func signalled(rnd *rand.Rand) {
	c, _ := startServing(0)
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
	if err != nil || !begin(c) {
		fail("shut down: %v", err)
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
	switch first {
	case nil:
		expectCode("shut down", err, 7)
	case errCause:
		killed.Add(1)
		expectCode("shut down by force", err, -1)
	default:
		fail("Shutdown: %v", first)
	}
	finished("shut down", c, err)
}

func cancelled(rnd *rand.Rand) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), lifetime(rnd), errCause)
	defer cancel()
	c := command("serve", "0")
	c.Stdin = blocked{ctx}
	c.WaitDelay = time.Minute
	if err := c.StartContext(ctx); err != nil {
		if !errors.Is(err, errCause) {
			fail("StartContext: %v", err)
		}
		return
	}
	started.Add(1)
	err := c.Wait()
	killed.Add(1)
	// Its input may also have ended it in time.
	if err != nil && (!errors.Is(err, errCause) || !errors.Is(err, context.DeadlineExceeded)) || c.Cause() == nil && err != nil {
		fail("cancelled: %v, Cause: %v", err, c.Cause())
	}
	finished("cancelled", c, err)
}

// blocked is an input that ends with the context.
type blocked struct{ ctx context.Context }

func (b blocked) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, io.EOF
}

func held(rnd *rand.Rand) {
	c := command("hold", fmt.Sprint(rnd.IntN(3000)))
	var out bytes.Buffer
	c.Stdout, c.WaitDelay = &out, time.Duration(1+rnd.IntN(3000))*time.Millisecond
	if !begin(c) {
		return
	}
	err := c.Wait()
	if err != nil && err != xexec.ErrWaitDelay || err == nil && out.String() != "held" {
		fail("held: %v, %q", err, &out)
	}
	finished("held", c, err)
}

func missing(*rand.Rand) {
	c := xexec.Command(exe + " does not exist")
	c.Stdout, c.Stdin = new(bytes.Buffer), new(bytes.Buffer)
	c.StderrPipe()
	if err := c.Run(); !errors.Is(err, os.ErrNotExist) {
		fail("a missing program: %v", err)
	}
}
