package tree

import (
	"encoding/binary"
	"math/bits"

	"golang.org/x/sys/unix"
)

// lookAtGroup calls f for all processes of a group. See sysctl(3), KERN_PROC_PGRP, and
// struct kinfo_proc in <sys/user.h>: its own size, another int, eight pointers, the
// process id. It cannot tell on 32-bit systems, where the struct is another.
func lookAtGroup(pgid int, f func(pid int, zombie bool)) {
	if bits.UintSize != 64 {
		return
	}
	const (
		pidAt  = 2*4 + 8*8
		statAt = 388
		zombie = 5 // SZOMB, <sys/proc.h>
	)
	b, _ := unix.SysctlRaw("kern.proc.pgrp", pgid)
	for len(b) > statAt {
		size := int(binary.NativeEndian.Uint32(b))
		if size <= statAt || size > len(b) {
			return
		}
		f(int(binary.NativeEndian.Uint32(b[pidAt:])), b[statAt] == zombie)
		b = b[size:]
	}
}
