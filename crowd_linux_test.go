package xexec_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/xexec"
)

func init() {
	registerHelper("crowd", helperCrowd)
}

// Waiting for many children takes neither many threads nor any descriptor, and
// not more each time. XEXEC_CROWD=children,rounds sets other numbers than the
// quick ones here; DESIGN's are 10000,1 and 1000,100.
func TestCrowd(t *testing.T) {
	needPoller(t)
	children, rounds := 1000, 4
	if testing.Short() || raceEnabled {
		children, rounds = 200, 3
	}
	if s := os.Getenv("XEXEC_CROWD"); s != "" {
		if _, err := fmt.Sscanf(s, "%d,%d", &children, &rounds); err != nil {
			t.Fatal(err)
		}
	} else {
		deadline(t, stuck)
	}
	out, err := helperCmd(t, "crowd", strconv.Itoa(children), strconv.Itoa(rounds)).CombinedOutput()
	if s := string(out); strings.HasPrefix(s, "skip: ") {
		t.Skip(s)
	}
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	t.Logf("%s", out)
	var first, last, files int
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i, line := range lines {
		if _, err := fmt.Sscanf(line, "%d threads, %d descriptors more", &last, &files); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if last > 64 {
			t.Errorf("%d threads for %d children", last, children)
		}
		if files > 1 {
			t.Errorf("%d descriptors to wait for %d children", files, children)
		}
		if i == 0 {
			first = last
		}
	}
	// The runtime starts a thread now and then for itself.
	if len(lines) != rounds || last > first+8 {
		t.Errorf("%d threads in the first of %d rounds, %d in the last", first, len(lines), last)
	}
}

// helperCrowd waits for children, from a goroutine for each, and prints what
// that took in each round.
func helperCrowd(args []string) int {
	n, rounds := atoi(args[0]), atoi(args[1])
	for range rounds {
		cmds := make([]*xexec.Cmd, n)
		for i := range cmds {
			cmds[i] = xexec.Command("sleep", "1000")
			if err := cmds[i].Start(); err != nil {
				for _, c := range cmds[:i] {
					c.Kill()
					c.Wait()
				}
				if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENOMEM) {
					fmt.Printf("skip: after %d children: %v\n", i, err)
					return 0
				}
				return complain(err)
			}
		}
		files := len(takeStock().files)
		var waiters sync.WaitGroup
		errs := make([]error, n)
		for i, c := range cmds {
			waiters.Go(func() { errs[i] = c.Wait() })
		}
		for polledWaits()+xexec.Blocked() != n {
			time.Sleep(time.Millisecond)
		}
		now := takeStock()
		fmt.Printf("%d threads, %d descriptors more\n", now.threads, len(now.files)-files)
		for _, c := range cmds {
			if err := c.Kill(); err != nil {
				return complain("Kill:", err)
			}
		}
		waiters.Wait()
		for _, err := range errs {
			if !killed(err) {
				return complain("Wait:", err)
			}
		}
	}
	return 0
}
