package tree

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Member returns a process of the tree, other than the leader, that is alive and
// whose exit can be waited for. p is valid until the next Member that returns another,
// or Close. If somebody is left that cannot be named (there are no pidfds, or no
// descriptors), p is nil. Processes of a group that we may not kill do not count. The
// leader has exited.
//
// That the last one named is still there takes a few system calls and no descriptor.
// Only when it has gone are others looked for.
func (t *Tree) Member() (p *os.Process, left bool) {
	if t.cgroup != nil && !t.cgroup.Populated() {
		return nil, false
	}
	if t.member != nil {
		if alive, _ := t.alive(t.member); alive {
			return t.member, true
		}
	}
	pids, err := t.look()
	if isScarcity(err) {
		return nil, !t.killed // who has been killed is taken for dead
	}
	held := sync.OnceValue(func() map[int]bool { // before we open one of our own
		if !adoptsOrphans() {
			return nil
		}
		return heldByPidfd()
	})
	for _, pid := range pids {
		if pid == t.pid {
			continue
		}
		own := held()[pid]
		p, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		alive, named := t.alive(p)
		if alive && named {
			t.setMember(p)
			if t.own == nil {
				t.own = make(map[int]bool)
			}
			if _, again := t.own[pid]; !again {
				t.own[pid] = own
			}
			return p, true
		}
		p.Release()
		if alive {
			return nil, true
		}
	}
	// They may have hidden by forking, or there is no descriptor to look with.
	return nil, t.cgroup != nil && t.cgroup.Populated()
}

// look returns who is in the tree. The leader and zombies may be among them. Nobody
// lists the members of a group, so that asks every process for its group. Members of
// one that fork meanwhile can hide. They cannot any more once it has been killed.
func (t *Tree) look() (pids []int, err error) {
	if t.cgroup != nil {
		return t.cgroup.Pids(), nil
	}
	if signalGroup(t.leader, t.pid, 0) == os.ErrProcessDone {
		return nil, nil // the group may be another's
	}
	pids, err = processes()
	return slices.DeleteFunc(pids, func(pid int) bool { return !inGroup(pid, t.pid) }), err
}

// alive reports whether p, which was in the tree when it was seen, has not exited, and
// whether it has a pidfd. A group can be left, so it is asked whether it has p still: p
// was opened before, so the id is its own if it is alive after that. Of a cgroup,
// Populated tells when nobody is left, whoever is named.
func (t *Tree) alive(p *os.Process) (is, named bool) {
	if t.cgroup == nil && (!inGroup(p.Pid, t.pid) || syscall.Kill(p.Pid, 0) == syscall.EPERM) {
		return false, false
	}
	err := p.WithHandle(func(pidfd uintptr) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0)
		is = n == 0 || err != nil
	})
	if err == os.ErrNoHandle && t.cgroup == nil {
		return t.isRunning(p.Pid), false
	}
	return is, true
}

// isRunning reports whether a process has not exited, by its /proc/pid/stat: see
// proc_pid_stat(5).
func (t *Tree) isRunning(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if isScarcity(err) {
		return !t.killed
	}
	// The name in parentheses may contain anything.
	fields := strings.Fields(string(stat[max(0, bytes.LastIndexByte(stat, ')')):]))
	const state, threads = 1, 18
	if len(fields) <= threads {
		return false
	}
	// The first thread can be a zombie while others run.
	running, _ := strconv.Atoi(fields[threads])
	return !strings.Contains("ZX", fields[state]) || running > 1
}

// setMember keeps p, or nil, and closes the pidfd of the one before. Who waits for
// that one's exit has a pidfd of his own.
func (t *Tree) setMember(p *os.Process) {
	if t.member != nil {
		t.member.Release()
	}
	t.member = p
}
