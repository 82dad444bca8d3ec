// Command soak keeps hundreds of random commands running, for as long as it is
// told, and checks what each of them does and that nothing piles up.
//
//	go run ./internal/soak -for 10m
//
// Every few seconds it prints what it has done and what the process owns. It
// ends with a status other than zero if a command misbehaved, or if at the end,
// when nothing runs, there is more of anything than after the first quarter.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
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

// patience is how long something may take that takes no time where there is a
// processor to be had for it.
const patience = 30 * time.Second

// Counts of all that was done.
var started, waited, killed, transferred, failures atomic.Int64

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
	run(stop, *duration/4)
	first := settle()
	report("settled", begin, first)
	run(stop, *duration-time.Since(begin))
	last := settle()
	// On a busy machine, what is about to end can look settled.
	for end := time.Now().Add(patience); last.growth(first) != nil && time.Now().Before(end); {
		last = settle()
	}
	report("end", begin, last)

	for _, growth := range last.growth(first) {
		fail("%s", growth)
	}
	if n, m := started.Load(), waited.Load(); n != m {
		fail("%d started, %d waited for", n, m)
	}
	if n := failures.Load(); n > 0 {
		fmt.Printf("soak: FAILED: %d\n", n)
		os.Exit(1)
	}
	fmt.Println("soak: ok")
}

// run keeps the workers busy for a while, and returns when all have ended.
func run(stop context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(stop, d)
	defer cancel()
	begin := time.Now()
	var all sync.WaitGroup
	var busy [4096]atomic.Pointer[string] // what each worker is at
	for i := range min(*workers, len(busy)) {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(*seed, uint64(time.Since(begin))+uint64(i)))
			for ctx.Err() == nil {
				s := scenarios[rnd.IntN(len(scenarios))]
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
	zombies := make(map[int]time.Time) // since when
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			p := takeStock()
			report("", begin, p)
			// Every command here is waited for: no zombie lasts.
			for pid := range zombies {
				if !p.zombies[pid] {
					delete(zombies, pid)
				}
			}
			for pid := range p.zombies {
				if zombies[pid].IsZero() {
					zombies[pid] = time.Now()
				} else if age := time.Since(zombies[pid]); age > patience {
					fail("process %d has been a zombie for %v", pid, age)
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

// A stock is what the process owns at one moment.
type stock struct {
	goroutines, threads, files, children int
	zombies                              map[int]bool
	rss, heap                            int // in KiB
}

// settle takes stock when all is over, and gives what is about to end the time
// to do so. A process whose status was stolen is one of these: package os leaves
// its pidfd to the collector.
func settle() (s stock) {
	for same := 0; same < 5; time.Sleep(50 * time.Millisecond) {
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

// growth says of what there is more than there was. The runtime keeps threads,
// and memory that it has once used, so of these a little more is no leak.
func (s stock) growth(before stock) (growth []string) {
	check := func(what string, before, now, slack int) {
		if now > before+slack {
			growth = append(growth, fmt.Sprintf("%d %s, %d after the first quarter", now, what, before))
		}
	}
	check("goroutines", before.goroutines, s.goroutines, 0)
	check("descriptors", before.files, s.files, 0)
	check("children", 0, s.children, 0)
	check("zombies", 0, len(s.zombies), 0)
	check("threads", before.threads, s.threads, before.threads/2+8)
	check("KiB of heap", before.heap, s.heap, 1<<10)
	check("KiB resident", before.rss, s.rss, before.rss/2+8<<10)
	return growth
}

func report(what string, begin time.Time, s stock) {
	fmt.Printf("%7s %6.1fs started %d waited %d killed %d MB %d alive %d goroutines %d threads %d files %d zombies %d RSS %d MB heap %d KiB failures %d\n",
		what, time.Since(begin).Seconds(), started.Load(), waited.Load(), killed.Load(), transferred.Load()>>20,
		s.children, s.goroutines, s.threads, s.files, len(s.zombies), s.rss>>10, s.heap, failures.Load())
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
