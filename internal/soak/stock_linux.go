package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

func takeStock() stock {
	s := stock{goroutines: runtime.NumGoroutine(), zombies: make(map[int]bool)}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		field := strings.Fields(line)
		switch field[0] {
		case "Threads:":
			s.threads, _ = strconv.Atoi(field[1])
		case "VmRSS:":
			s.rss, _ = strconv.Atoi(field[1])
		}
	}
	fds, _ := filepath.Glob("/proc/self/fd/*")
	s.files = len(fds) - 1 // Glob's own
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, task := range tasks {
		b, _ := os.ReadFile(task)
		for _, pid := range strings.Fields(string(b)) {
			s.children++
			b, _ := os.ReadFile("/proc/" + pid + "/stat")
			if end := bytes.LastIndexByte(b, ')'); end > 0 && bytes.HasPrefix(b[end:], []byte(") Z")) {
				n, _ := strconv.Atoi(pid)
				s.zombies[n] = true
			}
		}
	}
	cgroups, _ := filepath.Glob(cgroupPattern)
	s.cgroups = len(cgroups)
	return s
}

// countsChildren reports whether the kernel tells (CONFIG_PROC_CHILDREN).
var countsChildren = func() bool {
	_, err := os.Stat("/proc/thread-self/children")
	return err == nil
}()

// cgroupPattern matches the cgroups that this process has made for its trees.
var cgroupPattern = func() string {
	b, _ := os.ReadFile("/proc/self/cgroup")
	_, own, _ := strings.Cut("\n"+string(b), "\n0::")
	own, _, _ = strings.Cut(own, "\n")
	b, _ = os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(b)) {
		mount, _, ok := strings.Cut(line, " - cgroup2 ")
		if fields := strings.Fields(mount); ok && len(fields) > 4 {
			root, dir := fields[3], fields[4]
			return filepath.Join(dir, strings.TrimPrefix(own, root), fmt.Sprintf("xexec-%d-*", os.Getpid()))
		}
	}
	return ""
}()
