package main

import (
	"context"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The phases of the program. All commands of one end before the next.
const (
	warmup   = iota // until what is kept for ever is there
	shortage        // of descriptors
	rest
)

// random returns what a worker draws its choices from, the same for the same seed.
func random(phase, worker int) *rand.Rand {
	return rand.New(rand.NewPCG(*seed, uint64(phase)<<32|uint64(worker)))
}

// run keeps the workers busy for a while, and returns when all have ended. It
// reports false if this system cannot have such a phase.
func run(stop context.Context, phase int, d time.Duration) bool {
	var squeeze <-chan time.Time
	rnd := random(phase, -1)
	if phase == shortage {
		if !limitFiles(fewFiles(rnd)) {
			return false
		}
		short.Store(true)
		defer short.Store(false)
		defer limitFiles(allFiles)
		ticker := time.NewTicker(300 * time.Millisecond)
		defer ticker.Stop()
		squeeze = ticker.C
	}

	ctx, cancel := context.WithTimeout(stop, d)
	defer cancel()
	begin := time.Now()
	var all sync.WaitGroup
	busy := make([]atomic.Pointer[string], *workers) // what each is at
	for i := range busy {
		all.Go(func() {
			rnd := random(phase, i)
			// The first round is one of all scenarios.
			for choice := i; ctx.Err() == nil; choice = rnd.IntN(len(scenarios)) {
				s := scenarios[choice%len(scenarios)]
				busy[i].Store(&s.name)
				s.play(rnd)
				busy[i].Store(nil)
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	ticker := time.NewTicker(*every)
	defer ticker.Stop()
	zombies := make(map[int]time.Time) // by pid, since when
	for {
		select {
		case <-done:
			return true
		case <-squeeze:
			limitFiles(fewFiles(rnd))
		case <-ticker.C:
			limitFiles(allFiles) // which taking stock needs, too
			p := takeStock()
			p.report("", begin)
			if ctx.Err() == nil && phase != shortage {
				alive = append(alive, p.children)
			}
			// Every command here is waited for: no zombie lasts.
			for pid := range zombies {
				if !p.zombies[pid] {
					delete(zombies, pid)
				}
			}
			for pid := range p.zombies {
				if since, ok := zombies[pid]; !ok {
					zombies[pid] = time.Now()
				} else if time.Since(since) > time.Minute {
					fail("process %d has been a zombie since %v", pid, since)
				}
			}
			if over := time.Since(begin) - d; over > 2*time.Minute {
				for i := range busy {
					if name := busy[i].Load(); name != nil {
						fail("worker %d does not end: %s", i, *name)
					}
				}
				debug.SetTraceback("all")
				panic("soak: it hangs")
			}
		}
	}
}

// alive is how many children there were, whenever all workers were at work.
var alive []int

// expectLively checks that many workers had a command alive most of the time: a
// soak in which little happens proves little.
func expectLively() {
	if !countsChildren || *duration < time.Minute || *workers < 200 || len(alive) == 0 {
		return
	}
	slices.Sort(alive)
	if median := alive[len(alive)/2]; median < *workers/3 {
		fail("only %d commands were alive, with %d workers", median, *workers)
	}
}
