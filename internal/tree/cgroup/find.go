//go:build linux

package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// own returns the directory of the cgroup that this process is in now, and its path
// in /proc/self/cgroup; "" if it cannot be seen.
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
	b, _ := os.ReadFile("/proc/" + pid + "/cgroup")
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

var foundMount atomic.Pointer[mount]

// findMount remembers what it has found, and not that it could not look, for lack of a
// descriptor.
func findMount() mount {
	if m := foundMount.Load(); m != nil {
		return *m
	}
	b, _ := os.ReadFile("/proc/self/mountinfo")
	m := parseMountinfo(string(b))
	if m.dir != "" {
		foundMount.Store(&m)
	}
	return m
}

func parseMountinfo(s string) mount {
	for line := range strings.Lines(s) {
		about, fs, _ := strings.Cut(line, " - ")
		fields := strings.Fields(about)
		if strings.HasPrefix(fs, "cgroup2 ") && len(fields) > 4 {
			unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
			return mount{dir: unescape.Replace(fields[4]), root: unescape.Replace(fields[3])}
		}
	}
	return mount{}
}

// pidfdsWork reports whether a process can be opened and signalled by a pidfd. If not
// (an old kernel, a seccomp filter), who has left the process group could be killed
// with the cgroup, and not be asked to stop.
func pidfdsWork() bool {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.PidfdSendSignal(fd, 0, nil, 0) == nil
}
