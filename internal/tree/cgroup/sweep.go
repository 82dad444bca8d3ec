//go:build linux

package cgroup

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// made is how many cgroups of this process exist, swept what sweep knows of the
// others.
var (
	made  atomic.Int64
	swept struct {
		mu     sync.Mutex
		left   []string // ours, abandoned while somebody lived in them
		others int64    // of other processes, seen last time
		last   time.Time
	}
)

// leave notes a cgroup of ours for a later sweep.
func leave(dir string) {
	swept.mu.Lock()
	defer swept.mu.Unlock()
	swept.left = append(swept.left, dir)
}

// sweep removes from dir the cgroups that nobody is in and nobody will be: those
// that this process has abandoned, and those whose process has gone.
//
// With thousands of trees, listing dir at every start would be the most expensive
// part of it. So it is listed only if the number of its directories is another
// than last time, or the last time was a second ago and saw others' cgroups.
func sweep(dir string) {
	swept.mu.Lock()
	defer swept.mu.Unlock()
	swept.left = slices.DeleteFunc(swept.left, func(dir string) bool {
		if !removeAll(dir) {
			return false
		}
		made.Add(-1)
		return true
	})

	var st syscall.Stat_t
	if syscall.Stat(dir, &st) != nil {
		return
	}
	others := int64(st.Nlink) - 2 - made.Load()
	if others == swept.others && (others <= 0 || time.Since(swept.last) < time.Second) {
		return
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), prefix)
		id, _, numbered := strings.Cut(name, "-")
		pid, err := strconv.Atoi(id)
		if !ok || !numbered || err != nil || pid <= 0 || pid == os.Getpid() {
			continue
		}
		if syscall.Kill(pid, 0) == syscall.ESRCH && removeAll(dir+"/"+e.Name()) {
			others--
		}
	}
	swept.others, swept.last = others, time.Now()
}
