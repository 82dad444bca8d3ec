package tree

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
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
	if !adoptsOrphans() {
		return
	}
	proc, err := openProc()
	if err != nil {
		return
	}
	proc.Close()
	// The list of the children can miss one while others go, hence once more.
	for clean, pause := 0, 20*time.Microsecond; clean < 2; {
		switch t.reapOrphansOnce() {
		case nothing:
			clean++
		case dying:
			// On some kernels, a process leaves its cgroup just before it can be reaped.
			if pause > 20*time.Millisecond {
				return
			}
			time.Sleep(pause)
			pause *= 2
			clean = 0
		case reaped:
			clean = 0
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

// A harvest is what came of a look for orphans.
type harvest int

const (
	nothing harvest = iota
	dying           // there is one who has not quite exited
	reaped
)

func (t *Tree) reapOrphansOnce() (found harvest) {
	var held map[int]bool
	for _, pid := range adoptedChildren() {
		if pid == t.pid || !t.had(pid) {
			continue
		}
		own, ok := t.members.named[pid] // of whom a pidfd may be ours
		if !ok {
			if held == nil {
				held = heldByPidfd()
			}
			own = held[pid]
		}
		if own {
			continue
		}
		switch t.reap(pid) {
		case reaped:
			found = reaped
		case dying:
			if found == nothing && t.cgroup != nil {
				found = dying
			}
		}
	}
	return found
}

// isOwnChild reports whether a process that is alive is a child that this program
// holds by a pidfd.
func isOwnChild(pid int) bool {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return parentOf(b) == os.Getpid() && heldByPidfd()[pid]
}

// had reports whether pid, perhaps a zombie, is of the tree.
func (t *Tree) had(pid int) bool {
	if t.cgroup != nil {
		return t.cgroup.Has(pid)
	}
	return inGroup(pid, t.pid)
}

// reap reaps a child that is of the tree. It is looked at once more after it was
// opened, as another wait of this program may have reaped it, and its id be another
// child's.
func (t *Tree) reap(pid int) harvest {
	var info unix.Siginfo
	var err error
	fd, e := unix.PidfdOpen(pid, 0)
	if e == nil {
		defer unix.Close(fd)
	}
	idType, id := unix.P_PIDFD, fd
	switch {
	case e == unix.ESRCH || !t.had(pid):
		return nothing
	case e != nil:
		idType, id = unix.P_PID, pid
	}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Waitid(idType, id, &info, unix.WEXITED|unix.WNOHANG, nil)
	}
	switch {
	case err != nil:
		return nothing // somebody else was faster
	case info.Signo == 0:
		return dying
	}
	return reaped
}

// adoptedChildren returns those of our children that may have been adopted: those
// of the first thread, or all where that cannot be told.
func adoptedChildren() (pids []int) {
	b, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(os.Getpid()) + "/children")
	if err != nil {
		return allChildren() // there is no CONFIG_PROC_CHILDREN
	}
	for field := range strings.FieldsSeq(string(b)) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// allChildren asks every process for its parent.
func allChildren() (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		if b, _ := os.ReadFile(name); parentOf(b) == os.Getpid() {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// parentOf returns the parent that stat, from /proc/pid/stat, names.
func parentOf(stat []byte) int {
	fields := bytes.Fields(stat[max(0, bytes.LastIndexByte(stat, ')')):])
	if len(fields) < 3 {
		return 0
	}
	pid, _ := strconv.Atoi(string(fields[2]))
	return pid
}

// heldByPidfd returns the processes that this one has pidfds for.
func heldByPidfd() map[int]bool {
	held := make(map[int]bool)
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return held
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	buf := make([]byte, 64)
	for _, name := range names {
		n, err := unix.Readlinkat(int(dir.Fd()), name, buf)
		if err != nil || !bytes.Contains(buf[:n], []byte("pidfd")) { // anon_inode:[pidfd], pidfd:[123]
			continue
		}
		b, _ := os.ReadFile("/proc/self/fdinfo/" + name)
		for line := range strings.Lines(string(b)) {
			if s, ok := strings.CutPrefix(line, "Pid:"); ok {
				pid, _ := strconv.Atoi(strings.TrimSpace(s)) // -1 if it was reaped
				held[pid] = true
			}
		}
	}
	return held
}
