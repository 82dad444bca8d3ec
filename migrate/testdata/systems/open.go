// Package systems opens files with the desktop's programs.
package systems

import (
	"context"
	"os/exec"
	"time"
)

// Open opens a file or address.
func Open(target string) error {
	cmd := opener(target)
	detach(cmd)
	return cmd.Start()
}

// run is how the tests look at commands.
func run(ctx context.Context, cmd *exec.Cmd, d time.Duration) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	timer := time.AfterFunc(d, func() { terminate(cmd) })
	defer timer.Stop()
	return cmd.Wait()
}
