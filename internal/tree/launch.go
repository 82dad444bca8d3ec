package tree

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// ErrCanceled is the error of a Start that was called off before there was a process.
var ErrCanceled = errors.New("xexec: start called off")

// A Launch starts one process as the leader of a tree, or so that it dies with its
// parent, or both. Abort or Reaped ends it. Its methods are called one at a time.
type Launch struct {
	given      *syscall.SysProcAttr // what the caller wants the process to have, perhaps nil
	attr       *syscall.SysProcAttr // what it is to have; both are nil once it runs
	dir        string
	tree       *Tree // nil if the process leads none
	parentExit bool
	release    func() // gives back the thread that is the process's parent, or nil
}

// Prepare returns the launch of a process in dir for which the caller wants attr,
// which may be nil and is not modified. With whole, it leads a tree. With
// parentExit, it dies with its parent. One of them is true.
func Prepare(attr *syscall.SysProcAttr, dir string, whole, parentExit bool) (*Launch, error) {
	l := &Launch{given: attr, attr: new(syscall.SysProcAttr), dir: dir, parentExit: parentExit}
	if attr != nil {
		*l.attr = *attr
	}
	if parentExit {
		if err := dieWithParent(l.attr); err != nil {
			return nil, err
		}
	}
	if whole {
		var err error
		if l.tree, err = newTree(l.attr); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Start starts the process by fork, which is called with the attributes that the
// process is to have and returns what os.StartProcess does. It is called on the
// thread that has to be the process's parent, and again, without the cgroup, if the error
// may be on account of that.
//
// If one of canceled is closed while Start waits for a thread, it returns
// ErrCanceled. A panic in fork, or a runtime.Goexit, is the caller's. After an error,
// Start can be called again.
func (l *Launch) Start(fork func(*syscall.SysProcAttr) (*os.Process, error), canceled [2]<-chan struct{}) (p *os.Process, err error) {
	if !l.parentExit {
		return l.start(fork)
	}
	if e := l.onThread(func() bool { p, err = l.start(fork); return err == nil }, canceled); e != nil {
		return nil, e
	}
	return p, err
}

func (l *Launch) start(fork func(*syscall.SysProcAttr) (*os.Process, error)) (*os.Process, error) {
	p, err := fork(l.attr)
	if isForkError(err) && l.given == nil && l.dir != "" {
		err = dirError(l.dir, err)
	}
	if isForkError(err) && l.tree.weaken(l.attr, err) {
		p, err = fork(l.attr)
	}
	if err != nil {
		return nil, err
	}
	if l.tree != nil {
		l.tree.leader, l.tree.pid = p, p.Pid
	}
	if err := l.contain(p); err != nil {
		return nil, err
	}
	l.given, l.attr = nil, nil // a PidFD may lead to what its owner wants collected
	return p, nil
}

// dirError returns, if there is no dir, the error that os.StartProcess gives for a process
// without SysProcAttr; else err.
func dirError(dir string, err error) error {
	var pe *fs.PathError
	if _, e := os.Stat(dir); errors.As(e, &pe) {
		pe.Op = "chdir"
		return pe
	}
	return err
}

// isForkError reports whether err is that of an os.StartProcess that has tried.
func isForkError(err error) bool {
	var pe *fs.PathError
	return errors.As(err, &pe) && pe.Op == "fork/exec"
}

// Tree returns the tree, nil if there is none. It is to be called after Start.
func (l *Launch) Tree() *Tree { return l.tree }

// Reaped gives back what the process needed to die with its parent: the thread that was
// its parent. It is to be called once the process is reaped, or has exited and will be;
// again, it does nothing.
func (l *Launch) Reaped() {
	if l.release != nil {
		l.release()
		l.release = nil
	}
}

// Abort gives back what was prepared for a process that could not be started.
func (l *Launch) Abort() {
	if l.tree != nil {
		l.tree.Close()
	}
}
