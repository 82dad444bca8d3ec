//go:build linux

package cgroup

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseMountinfo(t *testing.T) {
	for _, test := range []struct {
		in   string
		want mount
	}{
		{"", mount{}},
		{"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n", mount{}},
		{"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n", mount{"/sys/fs/cgroup/unified", "/"}},
		{"41 31 0:38 /a\\040b /mnt/\\134x\\011y rw shared:3 master:2 - cgroup2 none rw\n", mount{"/mnt/\\x\ty", "/a b"}},
		{"41 31 0:38 / /sys rw - cgroup2x none rw\n41 31 - cgroup2 none\n", mount{}},
	} {
		if got := parseMountinfo(test.in); got != test.want {
			t.Errorf("%q: %q, want %q", test.in, got, test.want)
		}
	}
}

// What is not seen for lack of descriptors is not remembered.
func TestMountWithoutDescriptors(t *testing.T) {
	want := findMount()
	foundMount.Store(nil)
	var old unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &old); err != nil {
		t.Fatal(err)
	}
	unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Max: old.Max}, nil)
	m := findMount()
	unix.Prlimit(0, unix.RLIMIT_NOFILE, &old, nil)
	if m != (mount{}) {
		t.Error("without descriptors:", m)
	}
	if got := findMount(); got != want {
		t.Errorf("%v, then %v", want, got)
	}
}
