// Package gitwrap runs git.
package gitwrap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Runner runs a prepared command and returns its output. Tests replace it.
type Runner interface {
	Run(cmd *exec.Cmd) ([]byte, error)
}

type execRunner struct{}

func (execRunner) Run(cmd *exec.Cmd) ([]byte, error) { return cmd.Output() }

// Repo is a git working tree.
type Repo struct {
	Dir    string
	Runner Runner
	Hooks  []func(*exec.Cmd)
}

// Open returns the repository in dir.
func Open(dir string) *Repo {
	return &Repo{Dir: dir, Runner: execRunner{}, Hooks: []func(*exec.Cmd){noPrompt}}
}

func noPrompt(cmd *exec.Cmd) {
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
}

// Error is a failed git command.
type Error struct {
	Args   []string
	Code   int
	Stderr string
}

func (e *Error) Error() string {
	return fmt.Sprintf("git %s: exit %d: %s", strings.Join(e.Args, " "), e.Code, strings.TrimSpace(e.Stderr))
}

// Git runs git and returns its output without the trailing newline.
func (r *Repo) Git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.Dir
	for _, hook := range r.Hooks {
		hook(cmd)
	}
	out, err := r.Runner.Run(cmd)
	var ee *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("git is not installed")
	case errors.As(err, &ee):
		return "", &Error{Args: args, Code: ee.ExitCode(), Stderr: string(ee.Stderr)}
	case err != nil:
		return "", err
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// Hash stores text as a blob and returns its name.
func (r *Repo) Hash(ctx context.Context, text string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", "hash-object", "-w", "--stdin")
	cmd.Dir = r.Dir
	cmd.Stdin = strings.NewReader(text)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, stderr.String())
	}
	return strings.TrimSpace(stdout.String()), nil
}
