package tree

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
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
		if r.Kind() != JobObject || !r.NamedWithoutLeader() {
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
		if err := r.Signal(os.Interrupt); err != os.ErrProcessDone {
			t.Errorf("when nobody is left: %v", err)
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
		closeAbandoned()
		if n := len(abandoned.jobs); n != 0 {
			t.Errorf("%d jobs are left", n)
		}
	}
}
