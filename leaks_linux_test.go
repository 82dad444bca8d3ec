package xexec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A stock is what the process owns at one moment.
type stock struct {
	files    map[string]string // by descriptor
	children map[string]string // by pid
	cgroups  []string          // that trees have made
	threads  int
}

// allowedFiles are the descriptors that the end of the run may have and the
// start did not, by what they are.
var allowedFiles = map[string]int{
	os.DevNull:               2, // xexec's pair
	"anon_inode:[eventpoll]": 1, // the runtime's poller
	"anon_inode:[eventfd]":   1, // what wakes it
}

// allowedThreads is how many threads the end of the run may have more than
// the start. The runtime keeps a thread that a blocking call once made it
// start, so this bounds how many calls ever blocked at once: the runtime's own
// few, and one for each of the children that tests wait for at the same time.
const allowedThreads = 128

func takeStock() stock {
	s := stock{files: make(map[string]string), children: make(map[string]string)}
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		// Glob's own descriptor is gone by now.
		if target, err := os.Readlink(fd); err == nil {
			s.files[filepath.Base(fd)] = target
		}
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	if self, _ := os.Readlink("/proc/self"); self != strconv.Itoa(os.Getpid()) {
		stats = nil // of another pid namespace
	}
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // It has gone.
		}
		// pid (command) state ppid ...; the command may contain anything.
		line := string(b)
		open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
		fields := strings.Fields(line[end+1:])
		if fields[1] == strconv.Itoa(os.Getpid()) {
			s.children[strings.TrimSpace(line[:open])] = fmt.Sprintf("%s, state %s", line[open:end+1], fields[0])
		}
	}
	if dir := cgroupDir(); dir != "" {
		s.cgroups = cgroups(dir, os.Getpid())
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if n, ok := strings.CutPrefix(line, "Threads:"); ok {
			s.threads, _ = strconv.Atoi(strings.TrimSpace(n))
		}
	}
	return s
}

// leaks reports what the process has now and did not have in the stock s. It
// lets the collector close what tests have dropped on purpose, such as the
// handle of a process that nobody waited for: what is left then is held by a
// reference that should not exist.
func (s stock) leaks() (leaks []string) {
	for end := time.Now().Add(stuck / 4); ; time.Sleep(20 * time.Millisecond) {
		runtime.GC()
		if leaks = s.compare(takeStock()); leaks == nil || time.Now().After(end) {
			return leaks
		}
	}
}

func (s stock) compare(now stock) (leaks []string) {
	seen := make(map[string]int)
	for fd, target := range now.files {
		if s.files[fd] == target {
			continue
		}
		if seen[target]++; seen[target] > allowedFiles[target] {
			leaks = append(leaks, fmt.Sprintf("leaked descriptor %s: %s", fd, target))
		}
	}
	for pid, child := range now.children {
		if _, ok := s.children[pid]; !ok {
			leaks = append(leaks, fmt.Sprintf("leaked child %s %s", pid, child))
		}
	}
	for _, dir := range now.cgroups {
		if !slices.Contains(s.cgroups, dir) {
			leaks = append(leaks, "leaked cgroup "+dir)
		}
	}
	if now.threads > s.threads+allowedThreads {
		leaks = append(leaks, fmt.Sprintf("%d threads at the end, %d at the start", now.threads, s.threads))
	}
	return leaks
}
