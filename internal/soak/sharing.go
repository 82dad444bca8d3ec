package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"example.com/xexec"
)

// errLeft is why a wait is given up.
var errLeft = errors.New("the wait is left")

// waiters waits for a command in several ways at the same time, some of which are
// given up and begun again. The function that it returns gives what all have got.
func waiters(what string, rnd *rand.Rand, c *xexec.Cmd) (result func() error) {
	patience := time.Duration(rnd.IntN(200)) * time.Millisecond
	results := make(chan error)
	ways := []func(){
		func() { results <- c.Wait() },
		func() { <-c.Done(); results <- c.Wait() },
		func() { results <- c.WaitContext(context.Background()) },
		func() {
			for {
				ctx, cancel := context.WithTimeoutCause(context.Background(), patience, errLeft)
				err := c.WaitContext(ctx)
				cancel()
				if !errors.Is(err, errLeft) {
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
				} else if err != nil {
					fail("%s: TryWait: %v, and not done", what, err)
				}
				time.Sleep(50 * time.Millisecond)
			}
		},
	}
	n := 1 + rnd.IntN(6)
	for range n {
		go ways[rnd.IntN(len(ways))]()
	}
	return func() error {
		err := <-results
		for range n - 1 {
			if other := <-results; other != err {
				fail("%s: %v, another waiter: %v", what, err, other)
			}
		}
		return err
	}
}

func shared(rnd *rand.Rand) {
	c, stop := startServing("shared", 5)
	if c == nil {
		return
	}
	time.AfterFunc(lifetime(rnd), stop)
	err := waiters("shared", rnd, c)()
	expectCode("shared", err, 5)
	finished("shared", c, err)
}
