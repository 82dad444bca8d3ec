//go:build linux

package cgroup

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// nameFormat is how a cgroup is named: by the process that has made it, and when.
const nameFormat = "xexec-%d-%d"

// swept is what sweep knows.
var swept struct {
	mu   sync.Mutex
	left []string  // cgroups of ours that could not be removed: somebody lived in them
	last time.Time // that it has looked for those of others
}

// discard removes a cgroup of ours, or notes it for a later sweep.
func discard(dir string) {
	if !removeAll(dir) {
		swept.mu.Lock()
		defer swept.mu.Unlock()
		swept.left = append(swept.left, dir)
	}
}

// sweep removes from dir the cgroups that nobody is in and nobody will be: those
// that this process has discarded, and those whose process has gone. One that is
// young may be that of a process in another pid namespace, which seems to have gone,
// and be there for somebody who is about to be started.
//
// With thousands of trees, listing dir at every start would be the most expensive
// part of it. So it is listed at most once a second.
func sweep(dir string) {
	swept.mu.Lock()
	defer swept.mu.Unlock()
	swept.left = slices.DeleteFunc(swept.left, removeAll)
	if time.Since(swept.last) < time.Second {
		return
	}
	swept.last = time.Now()
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		var pid int
		var made int64
		n, _ := fmt.Sscanf(e.Name(), nameFormat, &pid, &made)
		if n == 2 && time.Since(time.Unix(0, made)) > time.Minute && syscall.Kill(pid, 0) == syscall.ESRCH {
			removeAll(dir + "/" + e.Name())
		}
	}
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
