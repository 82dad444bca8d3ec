package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// PolledWaits returns how many pidfds are in an epoll set of this process: waits
// for a child that take no thread.
func PolledWaits() (n int) {
	for _, set := range epollSets() {
		for _, target := range set {
			if strings.Contains(target, "pidfd") {
				n++
			}
		}
	}
	return n
}

// PollSets returns how many epoll sets this process has beside the runtime's, which
// is the one that can be woken through an eventfd.
func PollSets() (n int) {
sets:
	for _, set := range epollSets() {
		for _, target := range set {
			if strings.Contains(target, "[eventfd]") {
				continue sets
			}
		}
		n++
	}
	return n
}

// epollSets returns what is in each of them.
func epollSets() (sets [][]string) {
	files := openFiles()
	for fd, target := range files {
		if target != "anon_inode:[eventpoll]" {
			continue
		}
		info, err := os.ReadFile("/proc/self/fdinfo/" + fd)
		if err != nil {
			continue // closed by now
		}
		set := []string{}
		for line := range strings.Lines(string(info)) {
			if _, rest, ok := strings.Cut(line, "tfd:"); ok {
				set = append(set, files[strings.Fields(rest)[0]])
			}
		}
		sets = append(sets, set)
	}
	return sets
}

// openFiles returns what the descriptors are, by number.
func openFiles() map[string]string {
	files := make(map[string]string)
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		// Glob's own descriptor is gone by now.
		if target, err := os.Readlink(fd); err == nil {
			files[filepath.Base(fd)] = target
		}
	}
	return files
}

// BlockedWaits returns how many waits of xexec's block a thread in a system call.
func BlockedWaits() (n int) {
	has := func(g string, texts ...string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(g, text) })
	}
	for _, g := range Goroutines(" [syscall") {
		if OfLibrary(g, "") && has(g, "aitid", "ait4", "Poll(", "poll(") {
			n++
		}
	}
	return n
}

// AwaitBlockedWaits waits until n waits block a thread, and none is polled, or polled
// any more.
func AwaitBlockedWaits(n int) error {
	for end := time.Now().Add(Stuck / 2); ; time.Sleep(time.Millisecond) {
		blocked, polled := BlockedWaits(), PolledWaits()
		if blocked >= n && polled == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d waits block and %d are polled, want %d and none:\n%s", blocked, polled, n, Stacks())
		}
	}
}
