package child

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"

	"example.com/xexec/internal/oscmd"
	"example.com/xexec/internal/stdio"
	"example.com/xexec/internal/tree"
)

// ErrCanceled is returned by Start when one of its contexts has ended, before the
// process was started.
var ErrCanceled = tree.ErrCanceled

// A Spec is what Start is to start.
type Spec struct {
	// Cmd is for Start alone. It has no Cancel and no WaitDelay.
	Cmd *exec.Cmd

	WholeTree        bool
	KillOnParentExit bool
	Ended            [2]<-chan struct{} // of two contexts, or nil; starting lasts no longer
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
			if started.Streams != nil {
				started.Streams.Abort()
			}
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
	if started.Streams, err = stdio.Open(cmd.Stdin, cmd.Stdout, cmd.Stderr); err != nil {
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
// This happens when another goroutine's child was forked while the file was open, and
// has not reached its exec (golang/go#22315).
func fork(cmd *exec.Cmd, launch *tree.Launch, ended [2]<-chan struct{}) (*os.Process, error) {
	const limit = 100 * time.Millisecond
	began := time.Now()
	for pause := time.Millisecond; ; pause *= 2 {
		var p *os.Process
		var err error
		if launch == nil {
			p, err = try(cmd, cmd.SysProcAttr)
		} else {
			again := func(attr *syscall.SysProcAttr) (*os.Process, error) { return try(oscmd.Copy(cmd), attr) }
			p, err = launch.Start(again, ended)
		}
		if err == nil || !isTextBusy(err) || time.Since(began)+pause > limit {
			return p, err
		}
		select {
		case <-time.After(pause):
		case <-ended[0]:
			return nil, ErrCanceled
		case <-ended[1]:
			return nil, ErrCanceled
		}
		cmd = oscmd.Copy(cmd) // one that Start was not called for
	}
}

func try(cmd *exec.Cmd, attr *syscall.SysProcAttr) (*os.Process, error) {
	cmd.SysProcAttr = attr
	err := cmd.Start()
	if err == nil && cmd.Process == nil {
		err = context.Canceled // its context says that it has ended, and has no error
	}
	return cmd.Process, err
}
