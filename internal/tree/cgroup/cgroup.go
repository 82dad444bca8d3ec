//go:build linux

// Package cgroup makes version 2 control groups for trees of processes: see
// "Control Group v2" in the kernel's documentation.
//
// A [Group] is a child of the cgroup that this process is in. Its files are open
// from the start, so that a tree can be ended when there are no more descriptors.
// Its name has the id of this process: what a killed program has left is removed
// by the next New of another.
//
// The methods of a Group are called by one goroutine at a time.
package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Group is a cgroup that was made for one tree.
type Group struct {
	dir          *os.File // named by its path, O_PATH
	path         string   // as /proc/pid/cgroup has it
	events, kill *os.File // cgroup.events, cgroup.kill
}

const prefix = "xexec-"

var count atomic.Int64

// New makes a cgroup, or returns nil where that cannot be done, or its members not
// be signalled: there is no version 2 hierarchy, it is read-only or another user's,
// it may have no more cgroups, its kernel has no cgroup.kill; pidfds are refused.
func New() *Group {
	own, path := own()
	if own == "" || !pidfdsWork() {
		return nil
	}
	sweep(own)
	// A process that had our id may have been killed and have left its own: as many
	// as it had children.
	for range 1 << 20 {
		name := fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), count.Add(1))
		switch err := syscall.Mkdir(own+"/"+name, 0o755); err {
		case nil:
			made.Add(1)
			return open(own+"/"+name, strings.TrimSuffix(path, "/")+"/"+name)
		case syscall.EEXIST:
		default:
			return nil
		}
	}
	return nil
}

func open(dir, path string) *Group {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		discard(dir)
		return nil
	}
	g := &Group{dir: os.NewFile(uintptr(fd), dir), path: path}
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
		g.events = openAt(fd, "cgroup.events", unix.O_RDONLY)
		g.kill = openAt(fd, "cgroup.kill", unix.O_WRONLY)
	}
	if g.events == nil || g.kill == nil {
		g.Abandon()
		return nil
	}
	return g
}

// openAt returns nil if the file cannot be opened.
func openAt(dir int, name string, flags int) *os.File {
	fd, err := unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), name)
}

// FD returns a descriptor for SysProcAttr.CgroupFD. It is good until Remove.
func (g *Group) FD() int { return int(g.dir.Fd()) }

// Populated reports whether a process in the cgroup or below is alive.
func (g *Group) Populated() bool {
	buf := make([]byte, 128)
	n, _ := g.events.ReadAt(buf, 0) // that we have removed it is an error
	return bytes.Contains(buf[:n], []byte("populated 1"))
}

// Gone reports whether somebody has removed the cgroup.
func (g *Group) Gone() bool {
	_, err := g.events.ReadAt(make([]byte, 1), 0)
	return errors.Is(err, unix.ENODEV)
}

// Kill kills all processes in the cgroup and below, also while they fork. If the
// system refuses that, it kills one after the other. The error says that somebody
// may be left.
func (g *Group) Kill() error {
	_, err := g.kill.Write([]byte("1"))
	if err == nil {
		return nil
	}
	if _, e := g.Signal(syscall.SIGKILL, nil); e != nil {
		return fmt.Errorf("xexec: cgroup.kill: %w; one by one: %w", err, e)
	}
	return nil
}

// Signal sends sig to the processes in the cgroup and below, save those that skip
// (which may be nil) is true for, until a look finds no new one. It reports
// whether it has reached any. The error is that of one which it has not.
//
// Somebody else may reap any of them. So each is held by a pidfd, and must have been
// found in the cgroup after that was opened: then it is in the tree, or it has
// exited and the signal reaches nobody.
func (g *Group) Signal(sig syscall.Signal, skip func(pid int) bool) (reached bool, err error) {
	seen := make(map[int]bool)
	for range 100 {
		fds := make(map[int]int)
		for _, pid := range g.Pids() {
			if seen[pid] || skip != nil && skip(pid) {
				continue
			}
			fd, e := unix.PidfdOpen(pid, 0)
			if e == nil {
				fds[pid] = fd
			} else if e != unix.ESRCH {
				err = os.NewSyscallError("pidfd_open", e)
			}
		}
		if len(fds) == 0 {
			return reached, err
		}
		for _, pid := range g.Pids() {
			if fd, ok := fds[pid]; ok {
				seen[pid] = true
				switch e := unix.PidfdSendSignal(fd, sig, nil, 0); e {
				case nil:
					reached = true
				case unix.ESRCH:
				default:
					err = os.NewSyscallError("pidfd_send_signal", e)
				}
			}
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	return reached, errors.New("they fork too fast")
}

// Pids returns the processes in the cgroup and below that are alive: nobody, if there
// is no descriptor to look with.
func (g *Group) Pids() (pids []int) {
	walk(g.dir.Name(), func(dir string) {
		// One that has gone is empty; of a threaded one, its domain tells.
		b, _ := os.ReadFile(dir + "/cgroup.procs")
		for line := range strings.Lines(string(b)) {
			if pid, _ := strconv.Atoi(strings.TrimSpace(line)); pid > 0 {
				pids = append(pids, pid)
			}
		}
	})
	slices.Sort(pids)
	return slices.Compact(pids)
}

// Has reports whether pid, which may be a zombie, is in the cgroup or below, as far
// as /proc tells.
func (g *Group) Has(pid int) bool {
	path := strings.TrimSuffix(pathOf(strconv.Itoa(pid)), " (deleted)")
	return path == g.path || strings.HasPrefix(path, g.path+"/")
}

// Remove kills who is left, and removes the cgroup and what was made below it, at
// once or, if somebody needs more than a moment to die, when a later New finds it
// empty.
func (g *Group) Remove() {
	if g.Populated() {
		g.Kill()
	}
	for pause := 20 * time.Microsecond; g.Populated() && pause < 40*time.Millisecond; pause *= 2 {
		time.Sleep(pause)
	}
	g.Abandon()
}

// Abandon closes the cgroup without killing anybody. It is removed if it is empty,
// else when a later New finds it so.
func (g *Group) Abandon() {
	dir := g.dir.Name()
	for _, f := range []*os.File{g.dir, g.events, g.kill} {
		f.Close() // also a nil one, which is an error
	}
	discard(dir)
}

// discard removes a cgroup of ours, or notes it for a later sweep.
func discard(dir string) {
	if removeAll(dir) {
		made.Add(-1)
	} else {
		leave(dir)
	}
}

// removeAll removes an empty cgroup and those below it.
func removeAll(dir string) bool {
	gone := false
	walk(dir, func(dir string) { gone = rmdir(dir) })
	return gone
}

// rmdir reports whether the cgroup is gone. One that has just become empty may be
// busy for a moment.
func rmdir(dir string) bool {
	for pause := 20 * time.Microsecond; ; pause *= 2 {
		err := syscall.Rmdir(dir)
		if err == syscall.EBUSY && pause < 2*time.Millisecond && !populated(dir) {
			time.Sleep(pause)
			continue
		}
		return err == nil || err == syscall.ENOENT
	}
}

func populated(dir string) bool {
	b, err := os.ReadFile(dir + "/cgroup.events")
	return err == nil && bytes.Contains(b, []byte("populated 1"))
}

// walk calls f for all directories below dir, then for dir.
func walk(dir string, f func(dir string)) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			walk(dir+"/"+e.Name(), f)
		}
	}
	f(dir)
}
