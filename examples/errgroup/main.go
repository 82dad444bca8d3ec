//go:build unix

// Command errgroup runs shell commands at the same time. The first that fails ends
// all others:
//
//	errgroup 'go vet ./...' 'go test ./...'
//
// It is a module of its own, for golang.org/x/sync/errgroup.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	exec "example.com/xexec"
)

const grace = 5 * time.Second // from asking the others to stop until they are killed

func main() {
	if err := runAll(context.Background(), os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "errgroup:", err)
		os.Exit(1)
	}
}

// runAll runs the commands until all have succeeded or one has failed, and nothing
// is left of any. Its error is that of the first that failed.
func runAll(ctx context.Context, w io.Writer, commands []string) error {
	group, ctx := errgroup.WithContext(ctx)
	errs := make([]error, len(commands))
	for i, command := range commands {
		group.Go(func() error {
			cmd := exec.Command("sh", "-c", command)
			cmd.Stderr = os.Stderr
			cmd.SetTree(true)
			cmd.SetGracePeriod(grace)
			errs[i] = cmd.RunContext(ctx)
			return errs[i]
		})
	}
	err := group.Wait()
	for i, command := range commands {
		fmt.Fprintf(w, "%s: %v\n", command, errs[i])
	}
	return err
}
