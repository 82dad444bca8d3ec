//go:build linux

package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// own returns the directory of the cgroup that this process is in now, and its
// path in /proc/self/cgroup; "" if it cannot be seen.
func own() (dir, path string) {
	mount := findMount()
	if mount.dir == "" {
		return "", ""
	}
	path = pathOf("self")
	rel, err := filepath.Rel(mount.root, path)
	// What is outside of our cgroup namespace begins with "/..".
	if path == "" || err != nil || !filepath.IsLocal(rel) || strings.HasPrefix(mount.root, "/..") || strings.HasPrefix(path, "/..") {
		return "", "" // the mount does not show it
	}
	return filepath.Join(mount.dir, rel), path
}

// pathOf returns where in the version 2 hierarchy a process is, by its id or
// "self": see cgroups(7), /proc/pid/cgroup. It is "" if that cannot be read.
func pathOf(pid string) string {
	b, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return path
		}
	}
	return ""
}

// A mount is where a version 2 hierarchy is mounted, and which of its cgroups is to
// be seen there. See proc_pid_mountinfo(5).
type mount struct{ dir, root string }

// findMount remembers what it has seen, and not that it could not look, for lack of
// a descriptor.
func findMount() mount {
	if m := foundMount.Load(); m != nil {
		return *m
	}
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return mount{}
	}
	m := parseMountinfo(string(b))
	foundMount.Store(&m)
	return m
}

var foundMount atomic.Pointer[mount]

func parseMountinfo(s string) mount {
	for line := range strings.Lines(s) {
		about, fs, _ := strings.Cut(line, " - ")
		fields := strings.Fields(about)
		if strings.HasPrefix(fs, "cgroup2 ") && len(fields) > 4 {
			return mount{dir: unescape(fields[4]), root: unescape(fields[3])}
		}
	}
	return mount{}
}

// unescape undoes the \ooo of mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// pidfdsWork reports whether a process can be opened and signalled by a pidfd. If
// not (an old kernel, a seccomp filter), who has left the process group could be
// killed with the cgroup, and not be asked to stop. Like findMount, it remembers
// what the system has answered, and not that it lacked a descriptor.
func pidfdsWork() bool {
	if works := foundPidfds.Load(); works != nil {
		return *works
	}
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err == nil {
		err = unix.PidfdSendSignal(fd, 0, nil, 0)
		unix.Close(fd)
	}
	works := err == nil
	switch err {
	case unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EINTR:
	default:
		foundPidfds.Store(&works)
	}
	return works
}

var foundPidfds atomic.Pointer[bool]
