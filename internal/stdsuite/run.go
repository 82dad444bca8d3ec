package stdsuite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// timeout is for one run of all the tests, which takes seconds where there is
// nothing else to do.
const timeout = 15 * time.Minute

// A Result is what one run of the tests says.
type Result struct {
	Status map[string]string // pass, fail or skip, by the name of the test or subtest
	Output map[string]string
	Other  string // what belongs to no test: a build, a crash, a leak at the end
	Failed bool   // the run as a whole
}

// Std runs the tests as they are, against os/exec.
func (s *Suite) Std(ctx context.Context, flags ...string) (*Result, error) {
	return goTest(ctx, s.tmp, []string{"GOWORK=off"}, "os/exec", flags)
}

// Run runs the rewritten tests.
func (s *Suite) Run(ctx context.Context, flags ...string) (*Result, error) {
	return goTest(ctx, s.dir, s.env, ".", flags)
}

func goTest(ctx context.Context, dir string, env []string, pkg string, flags []string) (*Result, error) {
	args := append([]string{"test", "-json", "-vet=off", "-count=1", "-timeout=" + timeout.String()}, flags...)
	ctx, cancel := context.WithTimeout(ctx, timeout+time.Minute)
	defer cancel()
	c := command(ctx, dir, append(args, pkg)...)
	c.Env = append(c.Env, env...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	r := &Result{Status: make(map[string]string), Output: make(map[string]string), Failed: err != nil}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var event struct{ Action, Test, Output string }
		if err := dec.Decode(&event); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go test -json: %w\n%s%s", err, out, stderr.String())
		}
		switch event.Action {
		case "output", "build-output":
			if event.Test == "" {
				r.Other += event.Output
			} else {
				r.Output[event.Test] += event.Output
			}
		case "run":
			r.Status[event.Test] = "not over"
		case "pass", "fail", "skip":
			if event.Test != "" {
				r.Status[event.Test] = event.Action
			}
		}
	}
	r.Other += stderr.String()
	return r, nil
}

// command returns a command of the go tool, in an environment in which all of
// os/exec's tests run.
func command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir, c.WaitDelay = dir, 10*time.Second
	// The runtime keeps files of a control group open, and TestExtraFiles
	// skips itself if it finds any.
	c.Env = append(c.Environ(), "GODEBUG=containermaxprocs=0", "GOFLAGS=")
	return c
}

func (s *Suite) goCommand(args ...string) ([]byte, error) {
	c := command(context.Background(), s.tmp, args...)
	c.Env = append(c.Env, "GOWORK=off")
	out, err := c.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, exit.Stderr)
	}
	return out, err
}

// Available reports whether there is a go tool, with the tests of os/exec.
func Available() error {
	dir, err := os.MkdirTemp("", "stdsuite")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	pkg, err := (&Suite{tmp: dir}).list("os/exec")
	if err != nil {
		return err
	}
	if len(pkg.XTestGoFiles) == 0 {
		return errors.New("GOROOT has no tests of os/exec")
	}
	return nil
}
