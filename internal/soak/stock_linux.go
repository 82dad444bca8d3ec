package main

import (
	"bytes"
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
	return s
}
