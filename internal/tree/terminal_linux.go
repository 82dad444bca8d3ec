package tree

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// withoutStop calls f so that it can give a terminal away from the background
// without being stopped by SIGTTOU, which the thread blocks meanwhile: see
// tcsetpgrp(3).
func withoutStop(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var ttou, before unix.Sigset_t
	const n, bits = int(unix.SIGTTOU) - 1, 8 * int(unsafe.Sizeof(ttou.Val[0]))
	ttou.Val[n/bits] |= 1 << (n % bits)
	if unix.PthreadSigmask(unix.SIG_BLOCK, &ttou, &before) != nil {
		return
	}
	f()
	unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
}
