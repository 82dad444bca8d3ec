//go:build unix

// Command runner runs programs as tests, several at a time:
//
//	runner [-p n] [-timeout duration] program ...
//
// A test passes if it exits with status 0 in time. What it has written is shown if it
// fails; what it has left running is killed. The exit status is 1 if a test failed.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	exec "example.com/xexec"
)

const (
	grace     = 2 * time.Second // from asking a test to stop until it is killed
	maxOutput = 1 << 20
)

func main() {
	parallel := flag.Int("p", runtime.NumCPU(), "run so `many` at a time")
	timeout := flag.Duration("timeout", time.Minute, "the time that each test has")
	flag.Parse()
	ctx, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	if failed := runAll(ctx, os.Stdout, flag.Args(), *parallel, *timeout); failed > 0 {
		os.Exit(1)
	}
}

// A result is how a test ended.
type result struct {
	output []byte
	err    error
	took   time.Duration
}

// runAll runs the tests, reports them in their order, and returns how many failed.
func runAll(ctx context.Context, w io.Writer, programs []string, parallel int, timeout time.Duration) (failed int) {
	results := make([]result, len(programs))
	finished := make([]chan struct{}, len(programs))
	for i := range finished {
		finished[i] = make(chan struct{})
	}
	places := make(chan struct{}, max(1, parallel))
	var all sync.WaitGroup
	defer all.Wait()
	for i, program := range programs {
		all.Go(func() {
			places <- struct{}{}
			results[i] = run(ctx, program, timeout)
			<-places
			close(finished[i])
		})
	}
	for i, program := range programs {
		<-finished[i]
		r := results[i]
		if r.err == nil {
			fmt.Fprintf(w, "ok    %s (%.2fs)\n", program, r.took.Seconds())
			continue
		}
		failed++
		fmt.Fprintf(w, "FAIL  %s (%.2fs): %v\n%s", program, r.took.Seconds(), r.err, r.output)
	}
	return failed
}

// run runs one test.
func run(ctx context.Context, program string, timeout time.Duration) (r result) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it took longer than %v", timeout))
	defer cancel()
	cmd := exec.Command(program)
	cmd.SetTree(true)
	cmd.SetGracePeriod(grace)
	cmd.SetOutputLimit(maxOutput)
	began := time.Now()
	r.output, r.err = cmd.CombinedOutputContext(ctx)
	r.took = time.Since(began)
	return r
}
