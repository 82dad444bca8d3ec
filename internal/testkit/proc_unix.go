//go:build unix && !linux

package testkit

import (
	"bytes"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// Marked returns the living processes that have mark in their environment.
func Marked(mark string) (pids []int) {
	out, _ := exec.Command("ps", "-axeww", "-o", "pid=,command=").Output()
	for line := range bytes.Lines(out) {
		if bytes.Contains(line, []byte(mark)) {
			pid, _ := strconv.Atoi(strings.Fields(string(line))[0])
			pids = append(pids, pid)
		}
	}
	return pids
}

// ProcessState returns the state of a process, as a letter, "" if there is none.
func ProcessState(pid int) string {
	out, _ := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	return string(out[:min(len(out), 1)])
}

// Zombie reports whether pid has exited and is unreaped.
func Zombie(pid int) bool { return ProcessState(pid) == "Z" }

// Alive reports whether there is a process that has not exited.
func Alive(pid int) bool { return syscall.Kill(pid, 0) == nil && !Zombie(pid) }
