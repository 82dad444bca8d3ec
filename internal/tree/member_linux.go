package tree

import (
	"os"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// members are those who have been seen in a tree, so that nobody has to look through
// all of /proc as long as one of them is alive.
type members struct {
	current *os.Process  // the one that Member has named last, by a pidfd
	others  []int        // ids that were members' at the last look
	named   map[int]bool // by id, whether a process that was current is the program's own child
}

// Member returns a process of the tree, other than the leader, that is alive and
// whose exit can be waited for. It is p until the next Member that returns another,
// or Close. If somebody is left that cannot be named (there are no pidfds, or no
// descriptors), p is nil. Processes of a group that we may not kill do not count.
//
// That the last one named is still there takes one or two system calls. Only when it
// has gone are others looked for, at first among those that a look has shown before.
func (t *Tree) Member() (p *os.Process, left bool) {
	if t.cgroup != nil && !t.cgroup.Populated() {
		return nil, false
	}
	if p := t.members.current; p != nil && t.check(p, p.Pid, true) == named {
		return p, true
	}
	m := &t.members
	for _, seen := range []bool{true, false} {
		unseen := false
		if !seen {
			if m.others, unseen = t.look(); unseen {
				return nil, !t.killed // who has been killed is taken for dead
			}
		}
		for i, pid := range m.others {
			switch p, state := t.name(pid); state {
			case named:
				m.others = m.others[i+1:]
				return p, true
			case unnamed:
				m.others = m.others[i:]
				return nil, true
			case unknown:
				unseen = true
			}
		}
		m.others = nil
		if unseen {
			return nil, !t.killed
		}
	}
	if t.cgroup != nil {
		// They may have hidden by forking, unless it is the leader who is alive.
		return nil, t.leaderExited() && t.cgroup.Populated()
	}
	return nil, false
}

// look returns who is in the tree, save its leader. Zombies may be among them.
func (t *Tree) look() (pids []int, unseen bool) {
	if t.cgroup != nil {
		return slices.DeleteFunc(t.cgroup.Pids(), func(pid int) bool { return pid == t.pid }), false
	}
	return groupMembers(t.pid)
}

// A standing is what is known of a process that has been seen in the tree.
type standing int

const (
	gone    standing = iota // it has exited, or left, or we may not kill it
	named                   // alive, and held by a pidfd
	unnamed                 // alive, and there is no pidfd
	unknown                 // there is no descriptor to look with
)

// check looks whether p is a member and alive. It was opened before, so its id is
// its own if it is alive after it was asked for. A process that was a member is one
// still for a cgroup: only its group can be left without rights.
func (t *Tree) check(p *os.Process, pid int, was bool) (is standing) {
	err := p.WithHandle(func(fd uintptr) {
		switch {
		case !(was && t.cgroup != nil) && !t.has(pid) || hasExited(fd):
		case t.cgroup == nil && unix.PidfdSendSignal(int(fd), 0, nil, 0) == unix.EPERM:
		default:
			is = named
		}
	})
	if err == os.ErrNoHandle {
		is = t.checkByID(pid)
	}
	return is
}

func (t *Tree) checkByID(pid int) standing {
	if t.cgroup != nil {
		if t.has(pid) {
			return unnamed
		}
		return gone
	}
	if !inGroup(pid, t.pid) || syscall.Kill(pid, 0) == syscall.EPERM {
		return gone
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	switch {
	case isScarcity(err):
		return unknown
	case isRunning(stat):
		return unnamed
	}
	return gone
}

// has reports whether pid is now that of a member.
func (t *Tree) has(pid int) bool {
	if t.cgroup != nil {
		return slices.Contains(t.cgroup.Pids(), pid)
	}
	return inGroup(pid, t.pid)
}

// hasExited reports whether the process that the pidfd refers to has exited, reaped
// or not.
func hasExited(pidfd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// name opens a process that was a member when it was seen.
func (t *Tree) name(pid int) (*os.Process, standing) {
	own := adoptsOrphans() && isOwnChild(pid) // before it has a pidfd of ours
	p, err := os.FindProcess(pid)
	if err != nil {
		return nil, gone
	}
	is := t.check(p, pid, false)
	if is != named {
		p.Release()
		return nil, is
	}
	t.members.keep(p, own)
	return p, named
}

func (m *members) keep(p *os.Process, own bool) {
	m.release()
	m.current = p
	if m.named == nil {
		m.named = make(map[int]bool)
	}
	m.named[p.Pid] = own
}

// release closes the pidfd. Who waits for the exit has one of his own.
func (m *members) release() {
	if m.current != nil {
		m.current.Release()
		m.current = nil
	}
}
