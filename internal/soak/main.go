// Command soak keeps hundreds of random commands running, for as long as it is
// told, and checks what each of them does and that nothing piles up.
//
//	go run ./internal/soak -for 10m
//
// For an eighth of the time there are too few descriptors. Every few seconds it
// prints what it has done and what the process owns. It ends with a status other
// than zero if a command misbehaved, if few were alive although there was time for
// many, or if at the end, when nothing runs, there is more of anything than after
// the first quarter.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"time"

	"example.com/xexec"
)

var (
	duration = flag.Duration("for", time.Minute, "how long to run")
	workers  = flag.Int("workers", 250, "how many commands to run at the same time")
	every    = flag.Duration("every", 5*time.Second, "how often to print")
	seed     = flag.Uint64("seed", uint64(time.Now().UnixNano()), "what the random choices start from")
)

// Counts of all that was done.
var started, refused, waited, killed, transferred, failures atomic.Int64

// fail reports a command that misbehaved.
func fail(format string, args ...any) {
	if failures.Add(1) <= 20 {
		fmt.Fprintf(os.Stderr, "soak: "+format+"\n", args...)
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == childArg {
		os.Exit(child(os.Args[2:]))
	}
	flag.Parse()
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	fmt.Printf("soak: %v, %d workers, seed %d, %s %s/%s, %d CPUs\n",
		*duration, *workers, *seed, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))

	begin := time.Now()
	foreign := takeStock().cgroups // of a process that had our id, and was killed
	run(stop, warmup, *duration/4)
	before := settle()
	before.cgroups = foreign
	before.report("settled", begin)
	if run(stop, shortage, *duration/8) {
		after := settle()
		after.report("short", begin)
		before.threads = max(before.threads, after.threads) // waits take one each where there is no descriptor to poll
		after.expectNoGrowth(before)
		if refused.Load() == 0 && stop.Err() == nil {
			fail("no start has failed, however few the descriptors")
		}
	}
	run(stop, rest, *duration-time.Since(begin))
	last := settle()
	last.report("end", begin)
	last.expectNoGrowth(before)

	if n, m := started.Load(), waited.Load(); n != m {
		fail("%d started, %d waited for", n, m)
	}
	expectLively()
	if n := failures.Load(); n > 0 {
		fmt.Printf("soak: FAILED: %d\n", n)
		os.Exit(1)
	}
	fmt.Println("soak: ok")
}

// command returns a command that runs this program as a child.
func command(args ...string) *xexec.Cmd {
	return xexec.Command(exe, append([]string{childArg}, args...)...)
}

var exe = func() string {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return exe
}()
