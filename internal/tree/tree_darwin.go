package tree

import "golang.org/x/sys/unix"

// lookAtGroup calls f for all processes of a group. See sysctl(3), KERN_PROC_PGRP.
func lookAtGroup(pgid int, f func(pid int, zombie bool)) {
	procs, _ := unix.SysctlKinfoProcSlice("kern.proc.pgrp", pgid)
	const zombie = 5 // SZOMB, <sys/proc.h>
	for _, p := range procs {
		f(int(p.Proc.P_pid), p.Proc.P_stat == zombie)
	}
}
