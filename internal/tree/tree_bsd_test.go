//go:build darwin || freebsd

package tree

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// The members of a group are seen once its leader is a zombie, and not if it was
// reaped.
func TestGroupMembers(t *testing.T) {
	if p, left := (&Tree{pid: syscall.Getpgrp()}).Member(); left && syscall.Getpgrp() != syscall.Getpid() {
		t.Errorf("%v is a member of a group whose leader is alive, or another's child", p)
	}
	c := exec.Command("sh", "-c", "sleep 60 & exit 0")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	tree := Adopt(c.Process, c.SysProcAttr)
	var left bool
	for end := time.Now().Add(10 * time.Second); !left && time.Now().Before(end); time.Sleep(time.Millisecond) {
		_, left = tree.Member()
	}
	if p, _ := tree.Member(); p == nil || p.Pid == c.Process.Pid {
		t.Errorf("Member: %v", p)
	}
	if err := tree.Kill(); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(10 * time.Second); left && time.Now().Before(end); time.Sleep(time.Millisecond) {
		_, left = tree.Member()
	}
	if left {
		t.Error("somebody is left")
	}
	c.Wait()
	tree.Close()
}
