//go:build unix

package main

import (
	"errors"
	"sync"
	"syscall"
)

var fileLimit = sync.OnceValues(func() (lim syscall.Rlimit, err error) {
	err = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim)
	return lim, err
})

// limitFiles lets this process have no descriptor from n on, but keep those that
// it has. It reports whether that is so.
func limitFiles(n int) bool {
	lim, err := fileLimit()
	if err != nil {
		return false
	}
	atMost(&lim.Cur, n)
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim) == nil
}

// atMost is for limits of either type.
func atMost[T int64 | uint64](limit *T, n int) { *limit = min(*limit, T(n)) }

// isShortage reports whether a start that failed with err lacked a descriptor,
// or (EBADF) could not give one a number that the child may not have any more.
func isShortage(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.EBADF)
}
