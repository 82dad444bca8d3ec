// Command sharedwait starts a child that sleeps for a very long time. Several
// goroutines wait for it, another one kills it, and every waiter gets the same
// status.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	exec "example.com/xexec"
)

func main() {
	// The program is its own child, so that it runs everywhere.
	if len(os.Args) == 2 && os.Args[1] == "sleep" {
		time.Sleep(1_000_000 * time.Hour)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "sharedwait:", err)
		os.Exit(1)
	}
}

func run() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Printf("%4d ms  %s\n", time.Since(began).Milliseconds(), fmt.Sprintf(format, args...))
	}

	child := exec.Command(self, "sleep")
	if err := child.Start(); err != nil {
		return err
	}
	say("started a child that sleeps for a million hours")

	const waiters = 5
	results := make([]error, waiters)
	var all sync.WaitGroup
	for i := range waiters {
		all.Go(func() {
			say("goroutine %d waits", i+1)
			results[i] = child.Wait()
			say("goroutine %d: %v", i+1, results[i])
		})
	}

	// One more gives up early. That ends its waiting and nothing else.
	impatient, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	say("a goroutine with little time waits: %v", child.WaitContext(impatient))

	all.Go(func() {
		time.Sleep(300 * time.Millisecond)
		say("one more goroutine kills the child: %v", child.Kill())
	})
	all.Wait()

	for _, err := range results {
		if err == nil || err != results[0] {
			return fmt.Errorf("the waiters got different results: %v", results)
		}
	}
	say("all %d got the same result, and %v", waiters, child.ProcessState)
	if err := child.Kill(); !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("a second kill: %v", err)
	}
	say("a kill now reaches nobody: %v", os.ErrProcessDone)
	return nil
}
