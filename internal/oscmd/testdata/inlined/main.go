// Inlined says whether the default Cancel is known where exec.CommandContext was
// inlined. The line of the call in command is in the test's profile.
package main

import (
	"context"
	"fmt"
	"os/exec"

	"example.com/xexec/internal/oscmd"
)

//go:noinline
func command(ctx context.Context) *exec.Cmd {
	return exec.CommandContext(ctx, "name")
}

func other() error { return nil }

func main() {
	fmt.Print(oscmd.CancelsOf(other, other, other).Of(command(context.Background())).Kind == oscmd.DefaultCancel)
}
