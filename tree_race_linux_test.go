package xexec_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// raceRounds is how many trees TestForkingTreeFromManyGoroutines ends, of each kind.
// XEXEC_RACE_ROUNDS changes it.
func raceRounds() int {
	if n, err := strconv.Atoi(os.Getenv("XEXEC_RACE_ROUNDS")); err == nil {
		return n
	}
	if testing.Short() {
		return 10
	}
	return 25
}

// TestForkingTreeFromManyGoroutines ends trees of fifty processes that fork all
// the time, in all ways at once. (That no cgroup is left is seen at the end of the
// run, when no other test has any.)
func TestForkingTreeFromManyGoroutines(t *testing.T) {
	const forkers = `
		i=0
		while [ $i -lt 49 ]; do
			(trap "" TERM INT; while :; do (:); sleep 0.2 & wait $!; done) &
			i=$((i+1))
		done
		echo ready
		wait`
	for _, kind := range treeKinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			round := time.AfterFunc(stuck, func() { panic(t.Name() + ": a round is stuck") })
			defer round.Stop()
			for range raceRounds() {
				round.Reset(stuck)
				tt := newTreeTest(t, kind)
				ctx, cancel := context.WithCancel(context.Background())
				c := tt.shContext(ctx, forkers)
				if rand.IntN(2) == 0 {
					c.Cancel, c.WaitDelay = c.Terminate, 5*time.Millisecond
				}
				tt.start(c)
				results := make([]error, 32)
				start := make(chan struct{})
				var all sync.WaitGroup
				for i := range results {
					all.Go(func() {
						<-start
						check := func(err error) {
							if err != nil && !errors.Is(err, os.ErrProcessDone) {
								t.Error(err)
							}
						}
						switch i % 8 {
						case 0:
							check(c.Terminate())
						case 1:
							check(c.Signal(syscall.SIGINT))
						case 2:
							short, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(20))*time.Millisecond)
							defer cancel()
							if err := c.Shutdown(short); err != nil && err != context.Canceled && err != context.DeadlineExceeded {
								t.Error(err)
							}
						case 3:
							time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
							cancel()
						case 4:
							time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
							check(c.Kill())
						case 5:
							c.WaitContext(ctx)
						case 6:
							c.TryWait()
						}
						results[i] = c.Wait()
					})
				}
				close(start)
				all.Wait()
				cancel()
				tt.gone()
				var exit *exec.ExitError
				for _, err := range results {
					if err != results[0] || !errors.As(err, &exit) && err != context.Canceled {
						t.Errorf("Wait: %v and %v", results[0], err)
					}
				}
				if err := c.Kill(); err != os.ErrProcessDone {
					t.Errorf("Kill after the end: %v", err)
				}
				if t.Failed() {
					return
				}
			}
		})
	}
}
