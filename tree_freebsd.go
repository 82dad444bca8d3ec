package xexec

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// groupMembers returns the processes of the group that have not exited. See
// sysctl(3), KERN_PROC_PGRP, and struct kinfo_proc in <sys/user.h>, which begins
// with its own size, another int and eight pointers before the process id.
func groupMembers(pgid int) (pids []int) {
	const (
		pointer = int(unsafe.Sizeof(uintptr(0)))
		pidAt   = 2*4 + 8*pointer
		statAt  = 388 // on 64-bit systems
		zombie  = 5   // SZOMB, <sys/proc.h>
	)
	b, _ := unix.SysctlRaw("kern.proc.pgrp", pgid)
	for len(b) > statAt {
		size := int(binary.NativeEndian.Uint32(b))
		if size <= statAt || size > len(b) {
			return pids
		}
		pid := int(binary.NativeEndian.Uint32(b[pidAt:]))
		// On 32-bit systems, a zombie that its parent does not reap counts.
		if pid != pgid && (pointer != 8 || b[statAt] != zombie) {
			pids = append(pids, pid)
		}
		b = b[size:]
	}
	return pids
}
