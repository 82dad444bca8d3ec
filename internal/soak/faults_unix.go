//go:build unix

package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"syscall"
	"time"
)

func init() {
	scenarios = append(scenarios,
		scenario{"stolen status", stolen},
		scenario{"stopped", stopped},
	)
}

// stolen is a command whose exit status somebody else takes, or perhaps not.
func stolen(rnd *rand.Rand) {
	c, stop := startServing("stolen status", 3)
	if c == nil {
		return
	}
	wait := c.Wait
	if rnd.IntN(2) == 0 {
		wait = waiters("stolen status", rnd, c)
	}
	time.AfterFunc(lifetime(rnd)/4, stop)
	var took error
	if rnd.IntN(2) == 0 {
		_, took = c.Process.Wait()
	} else {
		for took = syscall.EINTR; took == syscall.EINTR; {
			_, took = syscall.Wait4(c.Pid(), nil, 0, nil)
		}
	}
	err := wait()
	if took == nil && !errors.Is(err, syscall.ECHILD) {
		fail("stolen status: Wait: %v", err)
	}
	if took != nil {
		expectCode("stolen status", err, 3)
	}
	if err := c.Kill(); err != os.ErrProcessDone {
		fail("stolen status: Kill: %v", err)
	}
	waited.Add(1) // there is no ProcessState for finished to find
}

func stopped(rnd *rand.Rand) {
	c, stop := startServing("stopped", 4)
	if c == nil {
		return
	}
	for range 3 {
		for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
			if err := c.Signal(sig); err != nil {
				fail("stopped: %v: %v", sig, err)
			}
			time.Sleep(lifetime(rnd) / 10)
		}
	}
	stop()
	err := c.Wait()
	expectCode("stopped", err, 4)
	finished("stopped", c, err)
}
