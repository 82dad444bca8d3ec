//go:build linux

// Package cgroup makes version 2 control groups for trees of processes: see
// "Control Group v2" in the kernel's documentation.
//
// A [Group] is a child of the cgroup that this process is in. Its files are open
// from the start, so that a tree can be ended when there are no more descriptors.
// Its name has the id of this process: what a killed program has left is removed by
// the next New of another.
//
// The methods of a Group are called by one goroutine at a time. Remove and Abandon do
// nothing for nil.
package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
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

// New makes a cgroup, or returns nil where that cannot be done, or its members not
// be signalled: there is no version 2 hierarchy, it is read-only or another user's,
// it may have no more cgroups, its kernel has no cgroup.kill; pidfds are refused.
func New() *Group {
	own, path := own()
	if own == "" || !pidfdsWork() {
		return nil
	}
	sweep(own)
	for {
		name := fmt.Sprintf(nameFormat, os.Getpid(), namespace(), time.Now().UnixNano())
		switch err := syscall.Mkdir(own+"/"+name, 0o755); err {
		case nil:
			made.Add(1)
			return open(own+"/"+name, strings.TrimSuffix(path, "/")+"/"+name)
		case syscall.EEXIST: // another goroutine's, or the clock was set back
		default:
			return nil
		}
	}
}

func open(dir, path string) *Group {
	g := &Group{
		dir:    openFile(dir, unix.O_PATH|unix.O_DIRECTORY),
		path:   path,
		events: openFile(dir+"/cgroup.events", unix.O_RDONLY),
		kill:   openFile(dir+"/cgroup.kill", unix.O_WRONLY),
	}
	if g.dir == nil || g.events == nil || g.kill == nil {
		g.close()
		discard(dir)
		return nil
	}
	return g
}

// openFile opens a file that is not for the runtime's poller. It returns nil if it
// cannot be opened.
func openFile(name string, flags int) *os.File {
	fd, err := unix.Open(name, flags|unix.O_CLOEXEC, 0)
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
	n, _ := g.events.ReadAt(buf, 0) // that it was removed is an error
	return bytes.Contains(buf[:n], []byte("populated 1"))
}

// Kill kills all processes in the cgroup and below, also while they fork. An error
// says that somebody may be left.
func (g *Group) Kill() error {
	_, err := g.kill.Write([]byte("1"))
	if err == nil || errors.Is(err, unix.ENODEV) { // it was removed, so it was empty
		return nil
	}
	return fmt.Errorf("xexec: cgroup.kill: %w", err)
}

// Signal sends sig to the processes in the cgroup and below, save those that skip is
// true for, until a look finds no new one. It reports whether it has reached any. The
// error is that of one which it has not.
//
// Somebody else may reap any of them. So each is held by a pidfd, and must have been
// found in the cgroup after that was opened: then it is in the tree, or it has
// exited and the signal reaches nobody.
func (g *Group) Signal(sig syscall.Signal, skip func(pid int) bool) (reached bool, err error) {
	seen := make(map[int]bool)
	for range 100 {
		pidfds := make(map[int]int)
		for _, pid := range g.Pids() {
			if seen[pid] || skip(pid) {
				continue
			}
			fd, e := unix.PidfdOpen(pid, 0)
			if e == nil {
				pidfds[pid] = fd
			} else if e != unix.ESRCH {
				err = os.NewSyscallError("pidfd_open", e)
			}
		}
		if len(pidfds) == 0 {
			return reached, err
		}
		for _, pid := range g.Pids() {
			fd, ok := pidfds[pid]
			if !ok {
				continue
			}
			seen[pid] = true
			switch e := unix.PidfdSendSignal(fd, sig, nil, 0); e {
			case nil:
				reached = true
			case unix.ESRCH:
			default:
				err = os.NewSyscallError("pidfd_send_signal", e)
			}
		}
		for _, fd := range pidfds {
			unix.Close(fd)
		}
	}
	return reached, errors.New("they fork too fast")
}

// Pids returns the processes in the cgroup and below that are alive, some perhaps
// twice: nobody, if there is no descriptor to look with.
func (g *Group) Pids() (pids []int) {
	walk(g.dir.Name(), func(dir string) {
		// A cgroup that has gone is empty. Processes of a threaded one are listed in
		// its domain.
		b, _ := os.ReadFile(dir + "/cgroup.procs")
		for field := range strings.FieldsSeq(string(b)) {
			if pid, _ := strconv.Atoi(field); pid > 0 { // 0 is one of an outer pid namespace
				pids = append(pids, pid)
			}
		}
	})
	return pids
}

// Has reports whether pid, which may be a zombie, is in the cgroup or below, as far
// as /proc tells.
func (g *Group) Has(pid int) bool {
	path := strings.TrimSuffix(pathOf(strconv.Itoa(pid)), " (deleted)")
	return path == g.path || strings.HasPrefix(path, g.path+"/")
}

// Remove kills who is left, and removes the cgroup and what was made below it: at
// once or, if somebody needs more than a moment to die, when a later New finds it
// empty. A cgroup that has just become empty can be busy for a moment, too.
func (g *Group) Remove() {
	if g == nil {
		return
	}
	if g.Populated() {
		g.Kill()
	}
	for pause := 20 * time.Microsecond; pause < 40*time.Millisecond && !removeAll(g.dir.Name()); pause *= 2 {
		time.Sleep(pause)
	}
	g.Abandon() // that it has gone already counts as removed
}

// Abandon closes the cgroup without killing anybody. It is removed if it is empty,
// else when a later New finds it so.
func (g *Group) Abandon() {
	if g == nil {
		return
	}
	g.close()
	discard(g.dir.Name())
}

func (g *Group) close() {
	for _, f := range []*os.File{g.dir, g.events, g.kill} {
		f.Close() // also a nil one, which is an error
	}
}
