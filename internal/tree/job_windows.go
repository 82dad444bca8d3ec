package tree

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// dieWithParent makes the process be created suspended, for contain to put it into
// a job.
func dieWithParent(attr *syscall.SysProcAttr) error {
	attr.CreationFlags |= windows.CREATE_SUSPENDED
	return nil
}

// parentJobs are the jobs of processes that are to end with this one. Their handles are
// never closed but by the end of this process. What their processes start is not in
// them, save that of a tree: whoever is in the tree's job is in those that it is below.
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
func assignToParent(process windows.Handle) error {
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
	if err := assign(job, process); err != nil {
		windows.CloseHandle(job)
		return err
	}
	parentJobs.jobs = append(parentJobs.jobs, job)
	return nil
}

func assign(job, process windows.Handle) error {
	return jobError("AssignProcessToJobObject", windows.AssignProcessToJobObject(job, process))
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

// jobError returns nil if err is.
func jobError(call string, err error) error {
	if err == nil {
		return nil
	}
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
	e := p.WithHandle(func(handle uintptr) {
		if l.parentExit {
			err = assignToParent(windows.Handle(handle))
		}
		if l.tree != nil && err == nil {
			err = assign(l.tree.job, windows.Handle(handle)) // below the other job
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

// processes returns the ids of the processes of a job.
func processes(job windows.Handle) []uintptr {
	for n := 64; ; n *= 4 {
		// JOBOBJECT_BASIC_PROCESS_ID_LIST: how many are assigned, and listed, and their ids.
		list := make([]uintptr, n)
		head := (*[2]uint32)(unsafe.Pointer(&list[0]))
		err := windows.QueryInformationJobObject(job, windows.JobObjectBasicProcessIdList,
			uintptr(unsafe.Pointer(&list[0])), uint32(uintptr(n)*unsafe.Sizeof(list[0])), nil)
		assigned, listed := head[0], head[1]
		switch {
		case err == windows.ERROR_MORE_DATA || err == nil && listed < assigned && n < 1<<20:
		case err != nil:
			return nil
		default:
			ids := list[unsafe.Sizeof(*head)/unsafe.Sizeof(list[0]):]
			return ids[:min(int(listed), len(ids))]
		}
	}
}
