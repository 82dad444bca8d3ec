package xexec

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A tree is a job object. Its methods are called with run.mu held.
//
// See "Job Objects" in Microsoft's documentation. What the members start is in
// the job, too: the limits do not allow a breakaway.
type tree struct{ job windows.Handle }

// newTree makes attr such that the process is created suspended, for contain to
// put it into the job before it can start another, and with a console process
// group of its own, for Terminate.
func newTree(attr *syscall.SysProcAttr) (*tree, error) {
	job, err := newJob(windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)
	if err != nil {
		return nil, err
	}
	attr.CreationFlags |= windows.CREATE_SUSPENDED | windows.CREATE_NEW_PROCESS_GROUP
	return &tree{job}, nil
}

// dieWithParent makes attr such that the process is created suspended, for
// contain to put it into a job.
func dieWithParent(attr *syscall.SysProcAttr) error {
	attr.CreationFlags |= windows.CREATE_SUSPENDED
	_, err := parentJob()
	return err
}

// parentJob returns the job of processes that are to end with this one. Its
// handle is never closed but by the end of this process. It is no tree: what its
// processes start is not in it.
func parentJob() (windows.Handle, error) {
	parent.mu.Lock()
	defer parent.mu.Unlock()
	var err error
	if parent.job == 0 {
		parent.job, err = newJob(windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | windows.JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK)
	}
	return parent.job, err
}

var parent struct {
	mu  sync.Mutex
	job windows.Handle // 0 until it could be made
}

func newJob(limits uint32) (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil) // not inherited
	if err != nil {
		return 0, jobError("CreateJobObject", err)
	}
	var info windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	info.BasicLimitInformation.LimitFlags = limits
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err != nil {
		windows.CloseHandle(job)
		return 0, jobError("SetInformationJobObject", err)
	}
	return job, nil
}

func jobError(call string, err error) error {
	return fmt.Errorf("xexec: job object: %w", os.NewSyscallError(call, err))
}

var procNtResumeProcess = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtResumeProcess")

// contain puts a process that was created suspended where it belongs, and resumes
// it, unless it is suspended because the caller wants it to be. If it fails, the
// process has not run.
//
// os/exec has closed the handle of the thread, so it is the process that is
// resumed; ntdll.dll has had NtResumeProcess since Windows XP.
func (r *run) contain() (err error) {
	if !r.wholeTree && !r.killOnParentExit {
		return nil
	}
	var job windows.Handle
	if r.tree != nil {
		job = r.tree.job
	} else if job, err = parentJob(); err != nil {
		return err
	}
	e := r.proc.WithHandle(func(handle uintptr) {
		if err = windows.AssignProcessToJobObject(job, windows.Handle(handle)); err != nil {
			err = jobError("AssignProcessToJobObject", err)
			return
		}
		if attr := r.cmd.Value().SysProcAttr; attr != nil && attr.CreationFlags&windows.CREATE_SUSPENDED != 0 {
			return
		}
		if status, _, _ := procNtResumeProcess.Call(handle); int32(status) < 0 {
			err = jobError("NtResumeProcess", windows.NTStatus(status))
		}
	})
	return errors.Join(e, err)
}

func fork(start func() error, _ bool) error { return start() }

// A running process can be put into a job, but what it has started already
// cannot be found.
func adoptTree() *tree { return nil }

func (t *tree) weaken(*syscall.SysProcAttr) bool { return false }

func (t *tree) kind() TreeKind { return JobObject }

// resume has nothing to do: there is no SIGSTOP.
func (t *tree) resume(*os.Process) error { return nil }

func (t *tree) kill(*os.Process) error {
	// The exit code is that of os.Process.Kill.
	if err := windows.TerminateJobObject(t.job, 1); err != nil {
		return jobError("TerminateJobObject", err)
	}
	return nil
}

// alive reports whether a process of the job is alive.
func (t *tree) alive(*os.Process) bool {
	var info struct { // JOBOBJECT_BASIC_ACCOUNTING_INFORMATION
		TotalUserTime, TotalKernelTime                     int64
		ThisPeriodTotalUserTime, ThisPeriodTotalKernelTime int64
		TotalPageFaultCount, TotalProcesses                uint32
		ActiveProcesses, TotalTerminatedProcesses          uint32
	}
	err := windows.QueryInformationJobObject(t.job, windows.JobObjectBasicAccountingInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)), nil)
	return err == nil && info.ActiveProcesses > 0
}

func (t *tree) outlastsLeader() bool { return true }

func (t *tree) close() { windows.CloseHandle(t.job) }

// leadsGroup reports whether a process that was created with attr leads a console
// process group that we can send events to: one on our console. A process id
// that is not such a group's must not be given to GenerateConsoleCtrlEvent, which
// may take it for the group of everybody on the console, including ourselves.
func leadsGroup(attr *syscall.SysProcAttr) bool {
	const own = windows.CREATE_NEW_CONSOLE | windows.CREATE_NO_WINDOW | windows.DETACHED_PROCESS
	return attr != nil && attr.CreationFlags&windows.CREATE_NEW_PROCESS_GROUP != 0 && attr.CreationFlags&own == 0
}

// interrupt sends CTRL_BREAK to the console process group that the process leads:
// the one event that a new group does not ignore. The group's id is the process
// id, which is not used again while we hold the process's handle.
func interrupt(pid int) error {
	if err := windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(pid)); err != nil {
		return fmt.Errorf("xexec: CTRL_BREAK: %w (%w)", errors.ErrUnsupported, os.NewSyscallError("GenerateConsoleCtrlEvent", err))
	}
	return nil
}

// send sends sig to the process, or to the tree, which is not over. What os/exec
// has reaped or released cannot be interrupted: its id is free. The caller holds
// r.mu.
func (r *run) send(sig os.Signal) error {
	if !r.leads || sig != os.Interrupt && sig != syscall.SIGTERM {
		return r.proc.Signal(sig)
	}
	var err error
	closed := r.proc.WithHandle(func(uintptr) { err = interrupt(r.pid) })
	return cmp.Or(closed, err)
}
