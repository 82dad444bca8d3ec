package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// A stock is what the process owns at one moment.
type stock struct {
	goroutines, threads, files, children, cgroups int
	zombies                                       map[int]bool
	rss, heap                                     int // in KiB
}

// settle takes stock when all is over, and gives what is about to end the time
// to do so. A process whose status was stolen is one of these: package os leaves
// its pidfd to the collector.
func settle() (s stock) {
	for same := 0; same < 20; time.Sleep(50 * time.Millisecond) {
		debug.FreeOSMemory()
		last := s
		if s = takeStock(); s.goroutines == last.goroutines && s.files == last.files && s.children == last.children {
			same++
		} else {
			same = 0
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.heap = int(m.HeapAlloc >> 10)
	return s
}

// expectNoGrowth checks that there is no more of anything than there was. The
// runtime keeps threads, and memory that it has once used, so of these a little
// more is no leak.
func (s stock) expectNoGrowth(since stock) {
	check := func(what string, before, now, slack int) {
		if now > before+slack {
			fail("%d %s, %d before", now, what, before)
		}
	}
	check("goroutines", since.goroutines, s.goroutines, 0)
	check("descriptors", since.files, s.files, 0)
	check("children", 0, s.children, 0)
	check("zombies", 0, len(s.zombies), 0)
	check("cgroups", since.cgroups, s.cgroups, 0)
	check("threads", since.threads, s.threads, since.threads/2+8)
	check("KiB of heap", since.heap, s.heap, 1<<10)
	if !raceDetector() { // it has memory of its own, which grows
		check("KiB resident", since.rss, s.rss, since.rss/2+8<<10)
	}
}

func (s stock) report(what string, begin time.Time) {
	fmt.Printf("%8s %6.1fs started %d refused %d waited %d killed %d MB %d alive %d goroutines %d threads %d files %d zombies %d cgroups %d RSS %d MB heap %d KiB failures %d\n",
		what, time.Since(begin).Seconds(), started.Load(), refused.Load(), waited.Load(), killed.Load(), transferred.Load()>>20,
		s.children, s.goroutines, s.threads, s.files, len(s.zombies), s.cgroups, s.rss>>10, s.heap, failures.Load())
}

func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
