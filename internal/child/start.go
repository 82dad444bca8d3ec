package child

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"

	"example.com/xexec/internal/stdio"
	"example.com/xexec/internal/tree"
)

// ErrCanceled is returned by Start when one of its contexts has ended, before the
// process was started.
var ErrCanceled = tree.ErrCanceled

// A Spec is what Start is to start.
type Spec struct {
	// Cmd has no Cancel and no WaitDelay. Its Stdin, Stdout and Stderr may be
	// anything. Start puts files in their place, and changes nothing else.
	Cmd *exec.Cmd

	WholeTree        bool
	KillOnParentExit bool
	CopyHere         bool              // the caller is going to call Streams.CopyHere
	Ended            []<-chan struct{} // of two contexts at most; starting lasts no longer
}

// A Started is a process, what its start needed, and its streams, which are not
// copied yet.
type Started struct {
	OS      *os.Process
	Streams *stdio.Streams
	launch  *tree.Launch // nil if it needed none
}

// Start lets os/exec start a process, on the thread and with the attributes that a
// tree or a death with the parent want. It calls methods of Cmd's context, so the
// caller holds no lock. If it fails, or a method of the context panics, nothing is
// left. Once it has succeeded, New and Streams.Copy are to be called.
func Start(s Spec) (_ *Started, err error) {
	started := new(Started)
	defer func() {
		if started.OS == nil {
			started.Streams.Abort()
			if started.launch != nil {
				started.launch.Abort()
			}
		}
	}()
	cmd := s.Cmd
	if s.WholeTree || s.KillOnParentExit {
		started.launch, err = tree.Prepare(cmd.SysProcAttr, cmd.Dir, s.WholeTree, s.KillOnParentExit)
		if err != nil {
			return nil, err
		}
	}
	open := stdio.Open
	if s.CopyHere {
		open = stdio.OpenHere
	}
	if started.Streams, err = open(cmd.Stdin, cmd.Stdout, cmd.Stderr); err != nil {
		return nil, err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = started.Streams.Stdin, started.Streams.Stdout, started.Streams.Stderr
	if started.OS, err = fork(cmd, started.launch, s.Ended); err != nil {
		return nil, err
	}
	started.Streams.Started()
	return started, nil
}

// fork forks, and tries again for a while if the program file is open for writing.
// By accident that is so when another goroutine's child was forked while the file
// was open, and has not reached its exec (golang/go#22315).
func fork(cmd *exec.Cmd, launch *tree.Launch, ended []<-chan struct{}) (*os.Process, error) {
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
