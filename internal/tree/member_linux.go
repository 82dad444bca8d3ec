package tree

import (
	"bytes"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Member returns a process of the tree, other than the leader, that is alive and
// whose exit can be waited for. It is p until the next Member that returns another,
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
	var held map[int]bool // before we hold one
	if adoptsOrphans() {
		held = heldByPidfd()
	}
	for _, pid := range pids {
		p, err := os.FindProcess(pid)
		if err != nil || pid == t.pid {
			continue
		}
		alive, named := t.alive(p)
		if alive && named {
			t.setMember(p)
			if t.own == nil {
				t.own = make(map[int]bool)
			}
			if _, again := t.own[pid]; !again {
				t.own[pid] = held[pid]
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

// look returns who is in the tree. The leader and zombies may be among them.
func (t *Tree) look() (pids []int, err error) {
	if t.cgroup != nil {
		return t.cgroup.Pids(), nil
	}
	return groupMembers(t.pid)
}

// alive reports whether p, which was in the tree when it was seen, is so still and has
// not exited, and whether it has a pidfd. P was opened before, so its id is its own if
// it is alive after it was asked for. In a cgroup, who has none is left to Populated.
func (t *Tree) alive(p *os.Process) (is, named bool) {
	if t.cgroup != nil {
		if p != t.member && !t.cgroup.Has(p.Pid) {
			return false, false
		}
	} else if !inGroup(p.Pid, t.pid) || syscall.Kill(p.Pid, 0) == syscall.EPERM {
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
	_, rest, _ := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(" "))
	fields := bytes.Fields(rest)
	const state, threads = 0, 17
	if len(fields) <= threads {
		return false
	}
	// The first thread can be a zombie while others run.
	dead := string(fields[state]) == "Z" || string(fields[state]) == "X"
	return !dead || string(fields[threads]) != "1" && string(fields[threads]) != "0"
}

// setMember keeps p, or nil, and closes the pidfd of the one before. Who waits for
// that one's exit has a pidfd of his own.
func (t *Tree) setMember(p *os.Process) {
	if t.member != nil {
		t.member.Release()
	}
	t.member = p
}
