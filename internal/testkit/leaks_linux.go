package testkit

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

// A Stock is what the process owns at one moment.
type Stock struct {
	Files    map[string]string // by descriptor
	Children map[string]string // by pid
	Cgroups  []string          // that trees have made
	Threads  int
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

// TakeStock looks at what the process owns now.
func TakeStock() Stock {
	s := Stock{Files: openFiles(), Children: make(map[string]string)}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	if !OwnProc() {
		stats = nil
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
			s.Children[strings.TrimSpace(line[:open])] = fmt.Sprintf("%s, started at tick %s, state %s", line[open:end+1], fields[19], fields[0])
		}
	}
	if dir := CgroupDir(); dir != "" {
		s.Cgroups = Cgroups(dir, os.Getpid())
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if n, ok := strings.CutPrefix(line, "Threads:"); ok {
			s.Threads, _ = strconv.Atoi(strings.TrimSpace(n))
		}
	}
	return s
}

// Leaks reports what the process has now and did not have in the stock s. It
// lets the collector close what tests have dropped on purpose, such as the
// handle of a process that nobody waited for: what is left then is held by a
// reference that should not exist.
func (s Stock) Leaks() (leaks []string) {
	for end := time.Now().Add(Stuck / 4); ; time.Sleep(20 * time.Millisecond) {
		runtime.GC()
		if leaks = s.Compare(TakeStock()); leaks == nil || time.Now().After(end) {
			return leaks
		}
	}
}

// Compare is Leaks without patience, and now is what the process has.
func (s Stock) Compare(now Stock) (leaks []string) {
	seen := make(map[string]int)
	for fd, target := range now.Files {
		if s.Files[fd] == target {
			continue
		}
		if seen[target]++; seen[target] > allowedFiles[target] {
			leaks = append(leaks, fmt.Sprintf("leaked descriptor %s: %s", fd, target))
		}
	}
	for pid, child := range now.Children {
		// To the first process of a name space orphans go, too.
		if _, ok := s.Children[pid]; !ok && !IsInit() {
			leaks = append(leaks, fmt.Sprintf("leaked child %s %s", pid, child))
		}
	}
	for _, dir := range now.Cgroups {
		if !slices.Contains(s.Cgroups, dir) {
			leaks = append(leaks, "leaked cgroup "+dir)
		}
	}
	if now.Threads > s.Threads+allowedThreads {
		leaks = append(leaks, fmt.Sprintf("%d threads at the end, %d at the start", now.Threads, s.Threads))
	}
	return leaks
}
