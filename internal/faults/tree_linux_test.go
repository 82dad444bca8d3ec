package faults_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// With no descriptor left, a tree is given its time, then ended whole.
func TestTreeEndsWithoutDescriptors(t *testing.T) {
	for _, kind := range xtest.TreeKinds() {
		t.Run(kind.String(), func(t *testing.T) {
			xtest.ExpectClean(t)
			tt := xtest.NewTree(t, kind)
			withoutDescriptors := func(f func()) {
				t.Helper()
				var old unix.Rlimit
				if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &old); err != nil {
					t.Fatal(err)
				}
				unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Max: old.Max}, nil)
				defer unix.Prlimit(0, unix.RLIMIT_NOFILE, &old, nil)
				f()
			}
			c := tt.Sh(xtest.Politely(xtest.Deaf))
			tt.Start(c)
			// The time is over when the leader has left politely, and the other not.
			ctx, cancel := context.WithCancelCause(t.Context())
			withoutDescriptors(func() {
				var waiter sync.WaitGroup
				waiter.Go(func() { testkit.WaitForExit(t, c.Process.Pid); cancel(testkit.ErrCause) })
				if err := c.Shutdown(ctx); !errors.Is(err, testkit.ErrCause) {
					t.Errorf("Shutdown: %v", err)
				}
				waiter.Wait()
			})
			testkit.Eventually(t, "nobody is left", func() bool { return testkit.Marked(tt.Mark) == nil })
			if err := c.Wait(); err != nil { // the leader was polite
				t.Errorf("Wait: %v", err)
			}

			leave := ""
			if kind == xexec.Cgroup {
				leave = "setsid "
			}
			c = tt.Sh(leave + `sh -c 'echo ready; exec sleep 1000' & exit 0`)
			tt.Start(c)
			withoutDescriptors(func() {
				if err := c.Wait(); err != nil {
					t.Errorf("Wait: %v", err)
				}
			})
			testkit.Eventually(t, "nobody is left", func() bool { return testkit.Marked(tt.Mark) == nil })
		})
	}
}
