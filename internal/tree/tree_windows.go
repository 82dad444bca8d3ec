package tree

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A Tree is a job object. See "Job Objects" in Microsoft's documentation. What the
// members start is in the job, too: the limits do not allow a breakaway. A tree that
// dies with this process is in one of parentJobs besides.
type Tree struct {
	leader *os.Process
	pid    int
	job    windows.Handle
	leads  bool // a console process group
	closed bool
	member *os.Process // that Member has named last
}

// newTree makes attr such that the process is created suspended, for contain to
// put it into the job before it can start another, and with a console process
// group of its own, for Signal.
func newTree(attr *syscall.SysProcAttr) (*Tree, error) {
	job, err := newJob(0)
	if err != nil {
		return nil, err
	}
	attr.CreationFlags |= windows.CREATE_SUSPENDED | windows.CREATE_NEW_PROCESS_GROUP
	return &Tree{job: job, leads: LeadsGroup(attr)}, nil
}

// Adopt returns nil: a running process can be put into a job, but what it has started
// already cannot be found.
func Adopt(*os.Process, *syscall.SysProcAttr) *Tree { return nil }

// Kind returns what holds the tree.
func (t *Tree) Kind() Kind { return JobObject }

// Signal kills the tree, or sends CTRL_BREAK to the console process group of its
// leader for os.Interrupt and SIGTERM. Somebody of it is alive.
func (t *Tree) Signal(sig os.Signal) error {
	if sig == os.Kill {
		return t.Kill()
	}
	return SendTo(t.leader, t.pid, t.leads, sig)
}

// SendTo sends sig to the one process p, whose id is pid: os.Interrupt and SIGTERM as
// CTRL_BREAK, if it leads a console process group. That is the one event that a new
// group does not ignore. The group's id is the process's, which is not used again
// while we hold the process's handle. So one that os/exec has reaped or released
// cannot be interrupted.
func SendTo(p *os.Process, pid int, leads bool, sig os.Signal) error {
	if !leads || sig != os.Interrupt && sig != syscall.SIGTERM {
		return p.Signal(sig)
	}
	var err error
	closed := p.WithHandle(func(uintptr) {
		if e := windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(pid)); e != nil {
			err = fmt.Errorf("xexec: CTRL_BREAK: %w (%w)", errors.ErrUnsupported, os.NewSyscallError("GenerateConsoleCtrlEvent", e))
		}
	})
	return cmp.Or(closed, err)
}

// LeadsGroup reports whether a process that was created with attr leads a console
// process group that we can send events to: one on our console. A process id
// that is not such a group's must not be given to GenerateConsoleCtrlEvent, which
// may take it for the group of everybody on the console, including ourselves.
func LeadsGroup(attr *syscall.SysProcAttr) bool {
	const own = windows.CREATE_NEW_CONSOLE | windows.CREATE_NO_WINDOW | windows.DETACHED_PROCESS
	return attr != nil && attr.CreationFlags&windows.CREATE_NEW_PROCESS_GROUP != 0 && attr.CreationFlags&own == 0
}

// Kill kills all processes of the tree, and they cannot start any more when it
// returns.
func (t *Tree) Kill() error {
	// The exit code is that of os.Process.Kill.
	return jobError("TerminateJobObject", windows.TerminateJobObject(t.job, 1))
}

// Member returns a process of the tree, other than the leader, that is alive, by its
// handle. It is p until the next Member that returns another, or Close. If somebody is
// left whom we may not open, p is nil.
func (t *Tree) Member() (p *os.Process, left bool) {
	if t.member != nil && t.has(t.member) {
		return t.member, true
	}
	t.setMember(nil)
	for _, id := range processes(t.job) {
		pid := int(id)
		if pid == t.pid {
			continue
		}
		p, err := os.FindProcess(pid)
		switch {
		case err != nil:
			left = left || errors.Is(err, windows.ERROR_ACCESS_DENIED)
		case t.has(p):
			t.setMember(p)
			return p, true
		default:
			p.Release()
		}
	}
	return nil, left
}

// has reports whether p is in the job and alive.
func (t *Tree) has(p *os.Process) (is bool) {
	p.WithHandle(func(handle uintptr) {
		var in int32
		ok, _, _ := procIsProcessInJob.Call(handle, uintptr(t.job), uintptr(unsafe.Pointer(&in)))
		event, err := windows.WaitForSingleObject(windows.Handle(handle), 0)
		is = ok != 0 && in != 0 && err == nil && event == uint32(windows.WAIT_TIMEOUT)
	})
	return is
}

// setMember keeps p, or nil, and closes the handle of the one before.
func (t *Tree) setMember(p *os.Process) {
	if t.member != nil {
		t.member.Release()
	}
	t.member = p
}

// Close ends a tree that is over, or was not started: the job is closed. If somebody
// is left in it, he is killed.
func (t *Tree) Close() {
	if !t.closed {
		t.Kill()
		t.Abandon()
	}
}

// Abandon gives back what the tree needed of the system, and leaves its processes as
// they are.
func (t *Tree) Abandon() {
	if !t.closed {
		t.closed = true
		t.setMember(nil)
		windows.CloseHandle(t.job)
	}
}
