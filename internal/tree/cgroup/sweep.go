//go:build linux

package cgroup

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// nameFormat is how a cgroup is named: by the id of the process that has made it, the
// pid namespace in which that is its id, and the time.
const nameFormat = "xexec-%d-%d-%d"

// namespace is our pid namespace, 0 if that is not known.
var namespace = sync.OnceValue(func() uint64 {
	var st syscall.Stat_t
	syscall.Stat("/proc/self/ns/pid", &st)
	return st.Ino
})

// made is how many cgroups of this process exist, swept what sweep knows.
var (
	made  atomic.Int64
	swept struct {
		mu     sync.Mutex
		left   []string // cgroups of ours that could not be removed: somebody lived in them
		others int64    // directories of others, seen last time
		last   time.Time
	}
)

// discard removes a cgroup of ours, or notes it for a later sweep.
func discard(dir string) {
	if remove(dir) {
		return
	}
	swept.mu.Lock()
	defer swept.mu.Unlock()
	swept.left = append(swept.left, dir)
}

// remove removes a cgroup of ours if it is empty, and reports whether it has gone.
func remove(dir string) bool {
	if !removeAll(dir) {
		return false
	}
	made.Add(-1)
	return true
}

// sweep removes from dir the cgroups that nobody is in and nobody will be: those
// that this process has discarded, and those whose process has gone. That can be told
// of our own pid namespace only.
//
// With thousands of trees, listing dir at every start would be the most expensive
// part of it. So it is listed only if the number of others' directories is another
// than last time, or the last time was a second ago and saw any.
func sweep(dir string) {
	swept.mu.Lock()
	defer swept.mu.Unlock()
	swept.left = slices.DeleteFunc(swept.left, remove)
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
		var pid int
		var ns, at uint64
		n, _ := fmt.Sscanf(e.Name(), nameFormat, &pid, &ns, &at)
		if n == 3 && ns == namespace() && syscall.Kill(pid, 0) == syscall.ESRCH && removeAll(dir+"/"+e.Name()) {
			others--
		}
	}
	swept.others, swept.last = others, time.Now()
}

// removeAll removes an empty cgroup and those below it, and reports whether it has
// gone.
func removeAll(dir string) (gone bool) {
	walk(dir, func(dir string) {
		err := syscall.Rmdir(dir)
		gone = err == nil || err == syscall.ENOENT
	})
	return gone
}

// walk calls f for all directories below dir, then for dir.
func walk(dir string, f func(dir string)) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			walk(dir+"/"+e.Name(), f)
		}
	}
	f(dir)
}
