//go:build unix || windows

// Command timeout runs a command with a time limit, as timeout(1) of the GNU
// coreutils does:
//
//	timeout [-s signal] [-k duration] [--preserve-status] duration command [argument ...]
//
// The command is a tree: the signal reaches all that it has started, and when
// the command has ended, or has been ended, nothing of it is left behind, also
// not what it has put in the background.
//
// The exit status is that of the command, 128 plus the number of the signal that
// has ended it, or
//
//	124  if the time was over
//	125  if timeout itself has failed
//	126  if the command was found and cannot be run
//	127  if the command was not found
//	137  if the command had to be killed
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	exec "example.com/xexec"
)

const (
	exitTimedOut     = 124
	exitFailed       = 125
	exitCannotInvoke = 126
	exitNotFound     = 127
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	stop := os.Signal(syscall.SIGTERM)
	var killAfter time.Duration
	flags := flag.NewFlagSet("timeout", flag.ContinueOnError)
	for _, name := range []string{"s", "signal"} {
		flags.Func(name, "send this `signal` instead of TERM", func(s string) (err error) {
			stop, err = parseSignal(s)
			return err
		})
	}
	for _, name := range []string{"k", "kill-after"} {
		flags.Func(name, "kill what is left after this `duration`", func(s string) (err error) {
			killAfter, err = parseDuration(s)
			return err
		})
	}
	preserve := flags.Bool("preserve-status", false, "exit with the status of the command also when the time was over")
	if flags.Parse(args) != nil {
		return exitFailed
	}
	if flags.NArg() < 2 {
		return fail(exitFailed, errors.New("want a duration and a command"))
	}
	limit, err := parseDuration(flags.Arg(0))
	if err != nil {
		return fail(exitFailed, err)
	}
	ctx := context.Background()
	if limit != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}

	cmd := exec.Command(flags.Arg(1), flags.Args()[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SetTree(true)
	cmd.SetStopSignal(stop)
	cmd.Cancel = cmd.Terminate
	cmd.WaitDelay = killAfter
	if err := cmd.StartContext(ctx); err != nil {
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return exitTimedOut
		case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
			return fail(exitNotFound, err)
		}
		return fail(exitCannotInvoke, err)
	}
	// The terminal's signals go to the foreground, which the tree is not in.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		for sig := range signals {
			cmd.Signal(sig)
		}
	}()
	err = cmd.Wait()

	status, killed := exitStatus(cmd.ProcessState)
	switch {
	case cmd.ProcessState == nil:
		return fail(exitFailed, err)
	case cmd.Cause() != nil && !*preserve && !killed:
		return exitTimedOut
	}
	return status
}

func fail(status int, err error) int {
	fmt.Fprintln(os.Stderr, "timeout:", err)
	return status
}

// exitStatus returns the status as a shell has it in $?, and whether the command
// was killed.
func exitStatus(state *os.ProcessState) (status int, killed bool) {
	if state == nil {
		return exitFailed, false
	}
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal()), w.Signal() == syscall.SIGKILL
	}
	return state.ExitCode(), false
}

// parseDuration parses a number with one of the units s, m, h and d, seconds if
// there is none.
func parseDuration(s string) (time.Duration, error) {
	number, unit := s, time.Second
	for suffix, u := range map[string]time.Duration{
		"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
	} {
		if n, ok := strings.CutSuffix(s, suffix); ok {
			number, unit = n, u
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n >= 0) {
		return 0, fmt.Errorf("invalid time interval %q", s)
	}
	if limit := float64(1 << 62); n*float64(unit) > limit {
		return 0, nil // longer than anybody waits
	}
	return time.Duration(n * float64(unit)), nil
}

func parseSignal(s string) (os.Signal, error) {
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return syscall.Signal(n), nil
	}
	switch strings.TrimPrefix(strings.ToUpper(s), "SIG") {
	case "HUP":
		return syscall.SIGHUP, nil
	case "INT":
		return syscall.SIGINT, nil
	case "QUIT":
		return syscall.SIGQUIT, nil
	case "KILL":
		return syscall.SIGKILL, nil
	case "ALRM":
		return syscall.SIGALRM, nil
	case "TERM":
		return syscall.SIGTERM, nil
	}
	return nil, fmt.Errorf("%q: invalid signal", s)
}
