package tree

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReapOrphans reaps the processes of the tree that have become our children because
// their parents have exited and this process is PID 1 or a subreaper
// (PR_SET_CHILD_SUBREAPER). Nobody of the tree is alive any more. The leader stays,
// and so do all others: the program's own children, orphans that are not of the tree.
//
// A child that the program itself has put into the group or the cgroup stays, too, as
// far as it can be told from an orphan. The kernel does not say who has started a
// process. But an orphan is listed among the children of our first thread, and a
// child among those of the thread that has forked it. And as os.StartProcess opens a
// pidfd, one for which this process has a pidfd is waited for by the program. So what
// cannot be told is a child that the first thread has forked, without a pidfd
// (syscall.ForkExec, an old kernel) or of which that was closed (os.Process.Release).
//
// That takes a /proc of our pid namespace.
func (t *Tree) ReapOrphans() {
	if !adoptsOrphans() || !procIsOurs() {
		return
	}
	held := sync.OnceValue(heldByPidfd)
	// The list of the children can miss one while others go, hence once more.
	for clean := 0; clean < 2; clean++ {
		for _, pid := range adoptedChildren() {
			if pid == t.pid || !t.has(pid) {
				continue
			}
			own, named := t.own[pid] // of one that was named, a pidfd may be ours
			if !named {
				own = held()[pid]
			}
			if !own && t.reap(pid) {
				clean = -1
			}
		}
	}
}

// adoptsOrphans reports whether the descendants of our children can become ours.
func adoptsOrphans() bool {
	if os.Getpid() == 1 {
		return true
	}
	var is int32
	return unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&is)), 0, 0, 0) == nil && is != 0
}

// has reports whether pid, perhaps a zombie, is now of the tree.
func (t *Tree) has(pid int) bool {
	if t.cgroup != nil {
		return t.cgroup.Has(pid)
	}
	return inGroup(pid, t.pid)
}

// reap reaps a child that is of the tree, and reports whether it has. It looks once
// more after it has opened it, as another wait of this program may have reaped it, and
// its id be another child's.
func (t *Tree) reap(pid int) bool {
	idType, id := unix.P_PID, pid
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		defer unix.Close(fd)
	}
	if err == unix.ESRCH || !t.has(pid) {
		return false
	}
	if err == nil {
		if t.cgroup != nil { // it leaves that just before it can be reaped
			const milliseconds = 200 // on a busy machine
			unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, milliseconds)
		}
		idType, id = unix.P_PIDFD, fd
	}
	var info unix.Siginfo
	err = unix.Waitid(idType, id, &info, unix.WEXITED|unix.WNOHANG, nil)
	return err == nil && info.Signo != 0
}

// adoptedChildren returns those of our children that may have been adopted: those of
// the first thread. Where that is not told (there is no CONFIG_PROC_CHILDREN), it
// returns all processes: who is no child of ours cannot be reaped.
func adoptedChildren() (pids []int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
	if err != nil {
		pids, _ = processes()
	}
	for field := range strings.FieldsSeq(string(b)) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// heldByPidfd returns the processes that this one has pidfds for.
func heldByPidfd() map[int]bool {
	held := make(map[int]bool)
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		what, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		if !strings.Contains(what, "pidfd") { // anon_inode:[pidfd], pidfd:[123]
			continue
		}
		b, _ := os.ReadFile("/proc/self/fdinfo/" + fd.Name())
		for line := range strings.Lines(string(b)) {
			if s, ok := strings.CutPrefix(line, "Pid:"); ok {
				pid, _ := strconv.Atoi(strings.TrimSpace(s)) // -1 if it was reaped
				held[pid] = true
			}
		}
	}
	return held
}
