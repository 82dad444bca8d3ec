package xexec

import "golang.org/x/sys/unix"

// groupMembers returns the processes of the group that have not exited. See
// sysctl(3), KERN_PROC_PGRP.
func groupMembers(pgid int) (pids []int) {
	procs, _ := unix.SysctlKinfoProcSlice("kern.proc.pgrp", pgid)
	const zombie = 5 // SZOMB, <sys/proc.h>
	for _, p := range procs {
		if p.Proc.P_stat != zombie {
			pids = append(pids, int(p.Proc.P_pid))
		}
	}
	return pids
}
