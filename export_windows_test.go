package xexec

import "golang.org/x/sys/windows"

// FailToResume lets the resumption of processes fail until restore is called.
func FailToResume() (restore func()) {
	old := procNtResumeProcess
	// Given a process, it complains about the type of the object.
	procNtResumeProcess = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtResumeThread")
	return func() { procNtResumeProcess = old }
}
