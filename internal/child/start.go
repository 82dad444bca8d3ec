package child

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"

	"example.com/xexec/internal/tree"
)

// ErrCanceled is returned by Start when one of its contexts has ended, before the
// process was started.
var ErrCanceled = tree.ErrCanceled

// Start lets os/exec start cmd, which has a file for each stream and no Cancel: on
// the thread and with the attributes that launch wants, if it is not nil. It leaves
// cmd as it is. It calls methods of cmd's context, so the caller holds no lock.
//
// A program file that is open for writing is tried again for a while, and no longer
// than the contexts last, whose Done channels ended are. By accident that is so when
// another goroutine's child was forked while the file was open, and has not reached
// its exec (golang/go#22315).
func Start(cmd *exec.Cmd, launch *tree.Launch, ended ...<-chan struct{}) (*os.Process, error) {
	const patience = 100 * time.Millisecond
	try := func(attr *syscall.SysProcAttr) (*os.Process, error) {
		in := *cmd
		in.SysProcAttr = attr
		err := in.Start()
		if err == nil && in.Process == nil {
			err = context.Canceled // its context says that it has ended, and has no error
		}
		return in.Process, err
	}
	began := time.Now()
	for pause := time.Millisecond; ; pause *= 2 {
		var p *os.Process
		var err error
		if launch == nil {
			p, err = try(cmd.SysProcAttr)
		} else {
			p, err = launch.Start(try, ended...)
		}
		if err == nil || !isTextBusy(err) || time.Since(began)+pause > patience {
			return p, err
		}
		if !sleep(pause, ended) {
			return nil, ErrCanceled
		}
	}
}

// sleep sleeps for d. It returns false if a context ends before that: there are two
// at most.
func sleep(d time.Duration, ended []<-chan struct{}) bool {
	var two [2]<-chan struct{}
	copy(two[:], ended)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-two[0]:
	case <-two[1]:
	}
	return false
}
