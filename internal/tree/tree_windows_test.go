package tree

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"example.com/xexec/internal/testkit"
)

const helperEnv = "TREE_TEST_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helperEnv) {
	case "leader": // starts two, and exits when its input ends
		var pids []int
		for range 2 {
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), helperEnv+"=sleeper")
			if err := c.Start(); err != nil {
				fmt.Println(err)
			}
			pids = append(pids, c.Process.Pid)
		}
		fmt.Println(pids[0], pids[1])
		bufio.NewReader(os.Stdin).ReadString('\n')
	case "sleeper":
		time.Sleep(time.Minute)
	case "supervised":
		supervised()
	case "breakaway":
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), helperEnv+"=nothing")
		c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_BREAKAWAY_FROM_JOB}
		err := c.Run()
		fmt.Print(errors.Is(err, windows.ERROR_ACCESS_DENIED), " ", err == nil)
	case "nothing":
	default:
		time.AfterFunc(time.Minute, func() { panic("stuck") })
		os.Exit(m.Run())
	}
}

// A tree goes through its life: members that are named, a leader that exits first, a
// kill, an end.
func TestJob(t *testing.T) {
	for _, parentExit := range []bool{false, true} {
		l, err := Prepare(nil, "", true, parentExit)
		if err != nil {
			t.Fatal(err)
		}
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), helperEnv+"=leader")
		in, _ := c.StdinPipe()
		out, _ := c.StdoutPipe()
		if err := start(l, c); err != nil {
			l.Abort()
			t.Fatal(err)
		}
		r := l.Tree()
		if r.Kind() != JobObject {
			t.Errorf("it is a %v", r.Kind())
		}
		var a, b int
		if _, err := fmt.Fscan(out, &a, &b); err != nil {
			t.Fatal(err)
		}
		in.Close()
		c.Wait()
		p, left := r.Member()
		if !left || p == nil || p.Pid != a && p.Pid != b {
			t.Fatalf("Member: %v, %v; want %d or %d", p, left, a, b)
		}
		if again, _ := r.Member(); again != p {
			t.Errorf("Member: %v, then %v", p, again)
		}
		h, err := syscall.OpenProcess(syscall.PROCESS_TERMINATE, false, uint32(p.Pid))
		if err == nil {
			err = syscall.TerminateProcess(h, 1)
			syscall.CloseHandle(h)
		}
		if err != nil {
			t.Fatal(err)
		}
		syscall.WaitForSingleObject(handle(t, p), 10000)
		first := p.Pid
		if other, left := r.Member(); !left || other == nil || other.Pid == first {
			t.Errorf("Member: %v, %v after the first has died", other, left)
		}
		if err := r.Kill(); err != nil {
			t.Error(err)
		}
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			if _, left := r.Member(); !left {
				break
			}
			if time.Now().After(end) {
				t.Fatal("somebody is left")
			}
		}
		r.Close()
		r.Close()
		l.Reaped()
	}
}

func handle(t *testing.T, p *os.Process) (h syscall.Handle) {
	if err := p.WithHandle(func(handle uintptr) { h = syscall.Handle(handle) }); err != nil {
		t.Fatal(err)
	}
	return h
}

// A process that the caller wants suspended stays so.
func TestSuspended(t *testing.T) {
	l, err := Prepare(&syscall.SysProcAttr{CreationFlags: 4 /* CREATE_SUSPENDED */}, "", true, false)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), helperEnv+"=")
	if err := start(l, c); err != nil {
		t.Fatal(err)
	}
	if event, _ := syscall.WaitForSingleObject(handle(t, c.Process), 100); event != syscall.WAIT_TIMEOUT {
		t.Error("it has run")
	}
	l.Tree().Kill()
	c.Wait()
	l.Tree().Close()
}

// What is abandoned lives on.
func TestAbandonedJob(t *testing.T) {
	for _, parentExit := range []bool{false, true} {
		l, err := Prepare(nil, "", true, parentExit)
		if err != nil {
			t.Fatal(err)
		}
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), helperEnv+"=sleeper")
		if err := start(l, c); err != nil {
			t.Fatal(err)
		}
		l.Tree().Abandon()
		if event, _ := syscall.WaitForSingleObject(handle(t, c.Process), 100); event != syscall.WAIT_TIMEOUT {
			t.Error("it is dead")
		}
		c.Process.Kill()
		c.Wait()
	}
}

// sleeper is a command that runs until it is killed.
func sleeper(t testing.TB) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), helperEnv+"=sleeper")
	return c
}

// A process that cannot be put where it belongs has not run, and Start does not wait for
// its death.
func TestCannotContain(t *testing.T) {
	old := procNtResumeProcess
	defer func() { procNtResumeProcess = old }()
	// Given a process, it complains about the type of the object.
	procNtResumeProcess = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtResumeThread")
	for _, whole := range []bool{true, false} {
		l, err := Prepare(nil, "", whole, !whole)
		if err != nil {
			t.Fatal(err)
		}
		before := testkit.Handles(t)
		c := sleeper(t)
		began := time.Now()
		err = start(l, c)
		if err == nil || !strings.HasPrefix(err.Error(), "xexec: job object: NtResumeProcess: ") {
			t.Errorf("Start: %v", err)
		}
		if d := time.Since(began); d > 20*time.Second {
			t.Errorf("Start took %v", d)
		}
		l.Abort()
		if after := testkit.Handles(t); after > before+2 {
			t.Errorf("%d handles, before %d", after, before)
		}
		h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(c.Process.Pid))
		if err != nil {
			continue // it is gone
		}
		if event, _ := windows.WaitForSingleObject(h, 10000); event != windows.WAIT_OBJECT_0 {
			t.Error("the process lives")
		}
		windows.CloseHandle(h)
	}
}

// A child that is to die with its parent does so also where it is in another hierarchy
// of jobs than the one before: here, because somebody has put the parent into a job.
func TestParentIsPutIntoAJob(t *testing.T) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), helperEnv+"=supervised")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var handles []windows.Handle
	for range supervisedChildren {
		lines.Scan()
		var pid uint32
		if _, err := fmt.Sscan(lines.Text(), &pid); err != nil {
			t.Fatalf("%s", lines.Text())
		}
		h, err := windows.OpenProcess(windows.SYNCHRONIZE|windows.PROCESS_TERMINATE, false, pid)
		if err != nil {
			t.Fatal(err)
		}
		defer windows.CloseHandle(h)
		handles = append(handles, h)
	}
	lines.Scan()
	if lines.Text() != "2 jobs" {
		t.Errorf("it has %s", lines.Text())
	}
	for _, h := range handles {
		if event, _ := windows.WaitForSingleObject(h, 0); event == windows.WAIT_OBJECT_0 {
			t.Error("a child is dead")
		}
	}
	c.Process.Kill()
	c.Wait()
	for i, h := range handles {
		if event, _ := windows.WaitForSingleObject(h, 10000); event != windows.WAIT_OBJECT_0 {
			t.Errorf("child %d lives", i)
			windows.TerminateProcess(h, 1)
		}
	}
}

const supervisedChildren = 4

// supervised starts children that are to die with it, some before and some after it is
// put into a job, and waits to be killed.
func supervised() {
	for i := range supervisedChildren {
		if i == supervisedChildren/2 {
			job, err := windows.CreateJobObject(nil, nil)
			if err == nil {
				err = windows.AssignProcessToJobObject(job, windows.CurrentProcess())
			}
			if err != nil {
				fmt.Println("supervisor:", err)
			}
		}
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), helperEnv+"=sleeper")
		l, err := Prepare(nil, "", false, true)
		if err == nil {
			err = start(l, c)
		}
		if err != nil {
			fmt.Println("child:", err)
			continue
		}
		fmt.Println(c.Process.Pid)
	}
	fmt.Println(len(parentJobs.jobs), "jobs")
	time.Sleep(time.Minute)
}

// Somebody who holds a handle of a member, as we do of the leader, does not make it one
// who is left.
func TestDeadMemberWithAHandle(t *testing.T) {
	l, err := Prepare(nil, "", true, false)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), helperEnv+"=leader")
	in, _ := c.StdinPipe()
	out, _ := c.StdoutPipe()
	if err := start(l, c); err != nil {
		t.Fatal(err)
	}
	var pids [2]int
	if _, err := fmt.Fscan(out, &pids[0], &pids[1]); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		p, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Release()
		defer windows.WaitForSingleObject(windows.Handle(handle(t, p)), 0)
	}
	in.Close()
	windows.WaitForSingleObject(windows.Handle(handle(t, c.Process)), windows.INFINITE)
	if err := l.Tree().Kill(); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, left := l.Tree().Member(); !left {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("somebody is left: %v", processes(l.Tree().job))
		}
	}
	l.Tree().Close()
	c.Wait()
}

// What can never be sent is errors.ErrUnsupported, and what ended is not.
func TestSignalsThatCannotBeSent(t *testing.T) {
	windows.NewLazySystemDLL("kernel32.dll").NewProc("FreeConsole").Call()
	l, err := Prepare(nil, "", true, false)
	if err != nil {
		t.Fatal(err)
	}
	c := sleeper(t)
	if err := start(l, c); err != nil {
		t.Fatal(err)
	}
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if err := l.Tree().Signal(sig); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("tree: %v: %v", sig, err)
		}
		for _, leads := range []bool{false, true} {
			if err := SendTo(c.Process, c.Process.Pid, leads, sig); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("process: %v: %v", sig, err)
			}
		}
	}
	l.Tree().Kill()
	c.Wait()
	for _, sig := range []os.Signal{os.Interrupt, os.Kill} {
		if err := SendTo(c.Process, c.Process.Pid, true, sig); err == nil || errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("process that was reaped: %v: %v", sig, err)
		}
	}
	l.Tree().Close()
}

// What a member starts with CREATE_BREAKAWAY_FROM_JOB is not started. A process without a
// tree that dies with its parent may do so.
func TestBreakaway(t *testing.T) {
	for whole, want := range map[bool]string{true: "true false", false: "false true"} {
		l, err := Prepare(nil, "", whole, true)
		if err != nil {
			t.Fatal(err)
		}
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), helperEnv+"=breakaway")
		var out strings.Builder
		c.Stdout = &out
		if err := start(l, c); err != nil {
			t.Fatal(err)
		}
		c.Wait()
		if out.String() != want {
			t.Errorf("tree %v: denied, done: %s", whole, &out)
		}
		if whole {
			l.Tree().Close()
		}
	}
}
