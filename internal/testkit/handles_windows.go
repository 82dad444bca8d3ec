package testkit

import (
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Handles returns how many handles this process has. It counts in the system's list,
// as Wine's GetProcessHandleCount says 0.
func Handles(t testing.TB) (n int) {
	t.Helper()
	type entry struct { // SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX
		object, pid, handle uintptr
		access              uint32
		backTrace, typ      uint16
		attributes, _       uint32
	}
	buf := systemInformation(t, windows.SystemExtendedHandleInformation)
	count := *(*uintptr)(unsafe.Pointer(&buf[0])) // and a second, reserved one
	for _, e := range unsafe.Slice((*entry)(unsafe.Pointer(&buf[2*unsafe.Sizeof(count)])), count) {
		if e.pid == uintptr(os.Getpid()) {
			n++
		}
	}
	return n
}

// Threads returns how many threads this process has.
func Threads(t testing.TB) int {
	t.Helper()
	buf := systemInformation(t, windows.SystemProcessInformation)
	for at := uintptr(0); ; {
		p := (*windows.SYSTEM_PROCESS_INFORMATION)(unsafe.Pointer(&buf[at]))
		if p.UniqueProcessID == uintptr(os.Getpid()) {
			return int(p.NumberOfThreads)
		}
		if p.NextEntryOffset == 0 {
			t.Fatal("this process is not listed")
		}
		at += uintptr(p.NextEntryOffset)
	}
}

func systemInformation(t testing.TB, class int32) []byte {
	t.Helper()
	for size := 1 << 16; ; size *= 2 {
		words := make([]uint64, size/8) // for its alignment
		buf := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), size)
		switch err := windows.NtQuerySystemInformation(class, unsafe.Pointer(&buf[0]), uint32(size), nil); err {
		case nil:
			return buf
		case windows.STATUS_INFO_LENGTH_MISMATCH:
		default:
			t.Fatal("NtQuerySystemInformation:", err)
		}
	}
}
