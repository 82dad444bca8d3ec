package tree

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A Tree is a job object. See "Job Objects" in Microsoft's documentation. What the
// members start is in the job, too: the limits do not allow a breakaway.
type Tree struct {
	leader *os.Process
	pid    int
	job    windows.Handle
	dies   bool // with this process, as the last handle of its job is ours
	leads  bool // a console process group
	closed bool
	member *os.Process // that Member has named last
}

// parent needs no more than the job. See Launch.
type parent struct{}

func (l *Launch) onThread(f func() bool, _ []<-chan struct{}) error { f(); return nil }

func (*parent) reaped() {}

func isTextBusy(error) bool { return false }

// newTree makes attr such that the process is created suspended, for contain to
// put it into the job before it can start another, and with a console process
// group of its own, for Signal.
func newTree(attr *syscall.SysProcAttr, parentExit bool) (*Tree, error) {
	closeAbandoned()
	limits := uint32(0)
	if parentExit {
		limits = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	}
	job, err := newJob(limits)
	if err != nil {
		return nil, err
	}
	attr.CreationFlags |= windows.CREATE_SUSPENDED | windows.CREATE_NEW_PROCESS_GROUP
	return &Tree{job: job, dies: parentExit, leads: LeadsGroup(attr)}, nil
}

// dieWithParent makes the process be created suspended, for contain to put it into
// a job.
func (l *Launch) dieWithParent() error {
	l.attr.CreationFlags |= windows.CREATE_SUSPENDED
	return nil
}

// parentJobs are the jobs of processes without a tree that are to end with this one.
// Their handles are never closed but by the end of this process. They are no trees: what
// their processes start is not in them.
//
// One job does, save where the system does not accept a process in it: all processes of
// a job are in the same other jobs, and in the same session. So there is one for each
// place that children are in, which change when somebody puts this process into a job,
// and with SysProcAttr.ParentProcess and CREATE_BREAKAWAY_FROM_JOB.
var parentJobs struct {
	mu   sync.Mutex
	jobs []windows.Handle
}

// assignToParent puts a process into one of parentJobs that takes it, or a new one.
func assignToParent(process windows.Handle) (err error) {
	parentJobs.mu.Lock()
	defer parentJobs.mu.Unlock()
	for _, job := range parentJobs.jobs {
		if windows.AssignProcessToJobObject(job, process) == nil {
			return nil
		}
	}
	job, err := newJob(windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | windows.JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK)
	if err != nil {
		return err
	}
	if err := windows.AssignProcessToJobObject(job, process); err != nil {
		windows.CloseHandle(job)
		return jobError("AssignProcessToJobObject", err)
	}
	parentJobs.jobs = append(parentJobs.jobs, job)
	return nil
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

var (
	procNtResumeProcess = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtResumeProcess")
	procIsProcessInJob  = windows.NewLazySystemDLL("kernel32.dll").NewProc("IsProcessInJob")
)

// contain puts a process that was created suspended where it belongs, and resumes
// it, unless it is suspended because the caller wants it to be. If it fails, the
// process has not run, and is killed.
//
// os/exec has closed the handle of the thread, so it is the process that is
// resumed; ntdll.dll has had NtResumeProcess since Windows XP. If this process is
// killed before the other is in the job, that stays suspended.
func (l *Launch) contain(p *os.Process) (err error) {
	if l.tree == nil && !l.parentExit {
		return nil
	}
	e := p.WithHandle(func(handle uintptr) {
		if l.tree == nil {
			err = assignToParent(windows.Handle(handle))
		} else if err = windows.AssignProcessToJobObject(l.tree.job, windows.Handle(handle)); err != nil {
			err = jobError("AssignProcessToJobObject", err)
		}
		if err != nil || l.given != nil && l.given.CreationFlags&windows.CREATE_SUSPENDED != 0 {
			return
		}
		if status, _, _ := procNtResumeProcess.Call(handle); int32(status) < 0 {
			err = jobError("NtResumeProcess", windows.NTStatus(status))
		}
	})
	if err = errors.Join(e, err); err != nil {
		p.Kill()
		p.Release() // there are no zombies to wait for, and it may not die
	}
	return err
}

// Adopt returns nil: a running process can be put into a job, but what it has started
// already cannot be found.
func Adopt(*os.Process, *syscall.SysProcAttr) *Tree { return nil }

func (t *Tree) weaken(*syscall.SysProcAttr, error) bool { return false }

// Kind returns what holds the tree.
func (t *Tree) Kind() Kind { return JobObject }

// NamedWithoutLeader reports whether the tree can be signalled when its leader is
// reaped.
func (t *Tree) NamedWithoutLeader() bool { return true }

// Signal kills the tree, or sends CTRL_BREAK to the console process group of its
// leader for os.Interrupt and SIGTERM. It returns os.ErrProcessDone if nobody is left.
func (t *Tree) Signal(sig os.Signal) error {
	switch {
	case len(t.processes()) == 0:
		return os.ErrProcessDone
	case sig == os.Kill:
		return t.Kill()
	case t.leads && (sig == os.Interrupt || sig == syscall.SIGTERM):
		return interrupt(t.leader, t.pid)
	}
	return t.leader.Signal(sig)
}

// SendTo sends sig to the one process p, which is not a tree: os.Interrupt and SIGTERM
// as CTRL_BREAK, if it leads a console process group.
func SendTo(p *os.Process, leads bool, sig os.Signal) error {
	if leads && (sig == os.Interrupt || sig == syscall.SIGTERM) {
		return interrupt(p, p.Pid)
	}
	return p.Signal(sig)
}

// interrupt sends CTRL_BREAK to the console process group that p, whose id is pid, leads:
// the one event that a new group does not ignore. The group's id is the process's,
// which is not used again while we hold the process's handle. So one that os/exec has
// reaped or released cannot be interrupted.
func interrupt(p *os.Process, pid int) error {
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
	if err := windows.TerminateJobObject(t.job, 1); err != nil {
		return jobError("TerminateJobObject", err)
	}
	return nil
}

// Member returns a process of the tree, other than the leader, that is alive, by its
// handle. It is p until the next Member that returns another, or Close. If somebody is
// left whom we may not open, p is nil.
func (t *Tree) Member() (p *os.Process, left bool) {
	if t.member != nil && t.has(t.member) {
		return t.member, true
	}
	if t.member != nil {
		t.member.Release()
		t.member = nil
	}
	for _, pid := range t.processes() {
		if pid == t.pid {
			continue
		}
		p, err := os.FindProcess(pid)
		switch {
		case err != nil:
			left = left || errors.Is(err, windows.ERROR_ACCESS_DENIED)
		case t.has(p):
			t.member = p
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

// processes returns the ids of the processes of the job.
func (t *Tree) processes() []int { return processes(t.job) }

func processes(job windows.Handle) (pids []int) {
	type list struct { // JOBOBJECT_BASIC_PROCESS_ID_LIST
		assigned, listed uint32
		ids              [1]uintptr
	}
	const head = unsafe.Offsetof(list{}.ids)
	for n := uintptr(64); ; n *= 4 {
		buf := make([]uintptr, n+2) // the head is two of them at most
		l := (*list)(unsafe.Pointer(&buf[0]))
		err := windows.QueryInformationJobObject(job, windows.JobObjectBasicProcessIdList,
			uintptr(unsafe.Pointer(l)), uint32(head+n*unsafe.Sizeof(buf[0])), nil)
		if err == windows.ERROR_MORE_DATA || err == nil && l.listed < l.assigned && n < 1<<20 {
			continue
		}
		if err != nil {
			return nil
		}
		for _, id := range unsafe.Slice(&l.ids[0], min(uintptr(l.listed), n)) {
			pids = append(pids, int(id))
		}
		return pids
	}
}

// ReapOrphans has nothing to do: there are no zombies.
func (t *Tree) ReapOrphans() {}

func (t *Tree) abort() { t.Close() }

// Close ends a tree that is over: the job is closed. If somebody is left in it, he is
// killed.
func (t *Tree) Close() {
	if t.closed {
		return
	}
	if len(t.processes()) > 0 {
		t.Kill()
	}
	t.close()
}

func (t *Tree) close() {
	t.closed = true
	if t.member != nil {
		t.member.Release()
		t.member = nil
	}
	windows.CloseHandle(t.job)
}

// abandoned are the jobs of trees that are to die with this process and have not
// ended. Closing their last handle would kill them.
var abandoned struct {
	mu   sync.Mutex
	jobs []windows.Handle
}

// Abandon gives back what the tree needed of the system, and leaves its processes as
// they are.
func (t *Tree) Abandon() {
	switch {
	case t.closed:
	case t.dies && len(t.processes()) > 0:
		t.closed = true
		abandoned.mu.Lock()
		defer abandoned.mu.Unlock()
		abandoned.jobs = append(abandoned.jobs, t.job)
	default:
		t.close()
	}
}

// closeAbandoned closes the abandoned jobs that nobody is left in.
func closeAbandoned() {
	abandoned.mu.Lock()
	defer abandoned.mu.Unlock()
	abandoned.jobs = slices.DeleteFunc(abandoned.jobs, func(job windows.Handle) bool {
		empty := len(processes(job)) == 0
		if empty {
			windows.CloseHandle(job)
		}
		return empty
	})
}
