package tree

import "golang.org/x/sys/unix"

// groupMembers returns the processes that have not exited of a group whose leader
// is a zombie, nothing if it is not: then it has been reaped. See sysctl(3),
// KERN_PROC_PGRP.
func groupMembers(pgid int) (pids []int) {
	procs, _ := unix.SysctlKinfoProcSlice("kern.proc.pgrp", pgid)
	const zombie = 5 // SZOMB, <sys/proc.h>
	led := false
	for _, p := range procs {
		switch pid := int(p.Proc.P_pid); {
		case p.Proc.P_stat != zombie:
			pids = append(pids, pid)
		case pid == pgid:
			led = true
		}
	}
	if !led {
		return nil
	}
	return pids
}

func (l *Launch) dieWithParent() error { return Unsupported("SetKillOnParentExit") }
