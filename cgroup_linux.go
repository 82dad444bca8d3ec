package xexec

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// A cgroup is a version 2 control group that was made for one tree. See
// "Control Group v2" in the kernel's documentation. Its files are open from the
// start, so that a tree can be ended when there are no more descriptors.
type cgroup struct {
	dir          *os.File // named by its path
	events, kill *os.File // cgroup.events, cgroup.kill
}

var cgroupCount atomic.Int64

// newCgroup makes a cgroup below our own, or returns nil where that cannot be
// done: there is no version 2 hierarchy, it is read-only or another user's, it
// may have no more cgroups, its kernel has no cgroup.kill.
func newCgroup() *cgroup {
	own := ownCgroup()
	if own == "" {
		return nil
	}
	// A process that had our id may have been killed and have left its own: as many
	// as it had children.
	for range 1 << 20 {
		path := fmt.Sprintf("%s/xexec-%d-%d", own, os.Getpid(), cgroupCount.Add(1))
		switch err := syscall.Mkdir(path, 0o755); err {
		case nil:
			return openCgroup(path)
		case syscall.EEXIST:
		default:
			return nil
		}
	}
	return nil
}

func openCgroup(path string) *cgroup {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		syscall.Rmdir(path)
		return nil
	}
	g := &cgroup{dir: os.NewFile(uintptr(fd), path)}
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
		g.events = openAt(fd, "cgroup.events", unix.O_RDONLY)
		g.kill = openAt(fd, "cgroup.kill", unix.O_WRONLY)
	}
	if g.events == nil || g.kill == nil {
		g.remove()
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

// ownCgroup returns the directory of the cgroup that this process is in now, or
// "" if it cannot be seen.
func ownCgroup() string {
	mount := cgroupMount()
	if mount.dir == "" {
		return ""
	}
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			rel, err := filepath.Rel(mount.root, path)
			// What is outside of our cgroup namespace begins with "/..".
			if err != nil || !filepath.IsLocal(rel) || strings.HasPrefix(mount.root, "/..") || strings.HasPrefix(path, "/..") {
				return "" // the mount does not show it
			}
			return filepath.Join(mount.dir, rel)
		}
	}
	return ""
}

// A cgroup2Mount is where a version 2 hierarchy is mounted, and which of its
// cgroups is to be seen there. See proc_pid_mountinfo(5).
type cgroup2Mount struct{ dir, root string }

// cgroupMount remembers what it has seen, and not that it could not look, for lack
// of a descriptor.
func cgroupMount() cgroup2Mount {
	if m := foundMount.Load(); m != nil {
		return *m
	}
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return cgroup2Mount{}
	}
	m := parseMountinfo(string(b))
	foundMount.Store(&m)
	return m
}

var foundMount atomic.Pointer[cgroup2Mount]

func parseMountinfo(s string) cgroup2Mount {
	for line := range strings.Lines(s) {
		mount, fs, _ := strings.Cut(line, " - ")
		fields := strings.Fields(mount)
		if strings.HasPrefix(fs, "cgroup2 ") && len(fields) > 4 {
			return cgroup2Mount{dir: unescape(fields[4]), root: unescape(fields[3])}
		}
	}
	return cgroup2Mount{}
}

// unescape undoes the \ooo of mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// killAll kills all processes in the cgroup and below, also while they fork.
func (g *cgroup) killAll() error {
	_, err := g.kill.Write([]byte("1"))
	return err
}

// populated reports whether a process in the cgroup or below is alive.
func (g *cgroup) populated() bool {
	buf := make([]byte, 128)
	n, _ := g.events.ReadAt(buf, 0) // that we have removed it is an error
	return bytes.Contains(buf[:n], []byte("populated 1"))
}

// signalOthers sends sig to those in the cgroup that are not in the process group
// pgid (0 for none), until a look finds no new one, and reports whether it has
// reached any.
//
// None of them is our child, so each is held by a pidfd, and must have been found
// in the cgroup after that was opened: then it is in the tree, or it has exited
// and the signal reaches nobody.
func (g *cgroup) signalOthers(pgid int, sig syscall.Signal) (reached bool) {
	seen := make(map[int]bool)
	for range 100 {
		fds := make(map[int]int)
		for _, pid := range g.procs() {
			if seen[pid] || pgid != 0 && inGroup(pid, pgid) {
				continue
			}
			if fd, err := unix.PidfdOpen(pid, 0); err == nil {
				fds[pid] = fd
			}
		}
		if len(fds) == 0 {
			return reached
		}
		for _, pid := range g.procs() {
			if fd, ok := fds[pid]; ok {
				seen[pid] = true
				reached = unix.PidfdSendSignal(fd, sig, nil, 0) == nil || reached
			}
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	return reached
}

// procs returns the processes in the cgroup and below.
func (g *cgroup) procs() (pids []int) {
	walk(g.dir.Name(), func(dir string) {
		b, _ := os.ReadFile(dir + "/cgroup.procs") // one that has gone is empty
		for line := range strings.Lines(string(b)) {
			if pid, _ := strconv.Atoi(strings.TrimSpace(line)); pid > 0 {
				pids = append(pids, pid)
			}
		}
	})
	return pids
}

// remove removes the cgroup and what was made below it, after killing those whom
// nobody has waited for.
func (g *cgroup) remove() {
	if g.populated() {
		g.killAll()
	}
	walk(g.dir.Name(), func(dir string) { syscall.Rmdir(dir) })
	for _, f := range []*os.File{g.dir, g.events, g.kill} {
		f.Close()
	}
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
