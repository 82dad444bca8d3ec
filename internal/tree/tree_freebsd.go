package tree

import (
	"encoding/binary"
	"math/bits"
	"syscall"

	"golang.org/x/sys/unix"
)

// groupMembers returns the processes that have not exited of a group whose leader
// is a zombie, nothing if it is not: then it has been reaped. See sysctl(3),
// KERN_PROC_PGRP, and struct kinfo_proc in <sys/user.h>: its own size, another
// int, eight pointers, the process id. It cannot tell on 32-bit systems, where
// the struct is another.
func groupMembers(pgid int) (pids []int) {
	if bits.UintSize != 64 {
		return nil
	}
	const (
		pidAt  = 2*4 + 8*8
		statAt = 388
		zombie = 5 // SZOMB, <sys/proc.h>
	)
	led := false
	b, _ := unix.SysctlRaw("kern.proc.pgrp", pgid)
	for len(b) > statAt {
		size := int(binary.NativeEndian.Uint32(b))
		if size <= statAt || size > len(b) {
			return nil
		}
		switch pid := int(binary.NativeEndian.Uint32(b[pidAt:])); {
		case b[statAt] != zombie:
			pids = append(pids, pid)
		case pid == pgid:
			led = true
		}
		b = b[size:]
	}
	if !led {
		return nil
	}
	return pids
}

// dieWithParent makes the process die with its parent: procctl(2),
// PROC_PDEATHSIG_CTL, which is about the process and not a thread.
func (l *Launch) dieWithParent() error {
	if l.attr.Pdeathsig == 0 {
		l.attr.Pdeathsig = syscall.SIGKILL
	}
	return nil
}
