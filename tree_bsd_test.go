//go:build darwin || freebsd

package xexec_test

import (
	"bytes"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"example.com/xexec"
)

func treeKinds() []xexec.TreeKind { return []xexec.TreeKind{xexec.ProcessGroup} }

func withoutCgroup(testing.TB) *syscall.SysProcAttr { return nil }

// marked returns the living processes that have mark in their environment.
func marked(mark string) (pids []int) {
	out, _ := exec.Command("ps", "-axeww", "-o", "pid=,command=").Output()
	for line := range bytes.Lines(out) {
		if bytes.Contains(line, []byte(mark)) {
			pid, _ := strconv.Atoi(strings.Fields(string(line))[0])
			pids = append(pids, pid)
		}
	}
	return pids
}

// zombie reports whether pid has exited and is unreaped.
func zombie(pid int) bool {
	out, _ := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	return strings.HasPrefix(string(out), "Z")
}
