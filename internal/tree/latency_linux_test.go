package tree

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// linger waits for the end of a tree whose leader has exited, as its caller has to.
func (r *run) linger() {
	for {
		p, left := r.Member()
		if !left {
			return
		}
		timeout := 100
		if r.killed {
			timeout = 10
		}
		fds := []unix.PollFd{{Fd: -1, Events: unix.POLLIN}}
		if p != nil {
			p.WithHandle(func(fd uintptr) { fds[0].Fd = int32(fd) })
		}
		unix.Poll(fds, timeout)
	}
}

// crowd starts n processes of another user's that do nothing.
func crowd(t testing.TB, n int) {
	c := exec.Command("sh", "-c", fmt.Sprintf("i=0; while [ $i -lt %d ]; do sleep 120 & i=$((i+1)); done; echo; exec cat", n))
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		c.Wait()
	})
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// How long after the last death of a process group that is known, and what CPU time
// it takes to wait for it, among many other processes. TREE_TEST_CROWD is how many, and
// TREE_TEST_LINGER how long a tree lingers.
func TestLastDeathIsNoticedAtOnce(t *testing.T) {
	needProc(t)
	others, linger := 300, 100*time.Millisecond
	if s := os.Getenv("TREE_TEST_CROWD"); s != "" {
		others, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("TREE_TEST_LINGER"); s != "" {
		linger, _ = time.ParseDuration(s)
	}
	needPidfds(t)
	if os.Getenv("TREE_TEST_ALONE") == "" {
		crowd(t, others)
	}
	if !alone(t, asNobody(t)) {
		return
	}
	var late []time.Duration
	for range 30 {
		c := sh("sleep 60 & echo $!; sleep 60 & echo $!; read x")
		c.SysProcAttr = plainGroup(t)
		r := launch(t, c, false)
		a, b := r.pidLine(t), r.pidLine(t)
		r.letGo(t)
		returned := make(chan time.Time)
		go func() { r.linger(); returned <- time.Now() }()
		syscall.Kill(a, syscall.SIGKILL)
		time.Sleep(20 * time.Millisecond) // it has got used to the other one
		killed := time.Now()
		syscall.Kill(b, syscall.SIGKILL)
		late = append(late, (<-returned).Sub(killed))
		r.cmd.Wait()
		r.Close()
	}
	slices.Sort(late)
	procs, _ := os.ReadDir("/proc")
	pids := slices.DeleteFunc(procs, func(e os.DirEntry) bool { return strings.Trim(e.Name(), "0123456789") != "" })
	t.Logf("%d processes: median %v, worst %v", len(pids), late[len(late)/2], late[len(late)-1])
	if late[len(late)/2] > 50*time.Millisecond {
		t.Error("that is late")
	}

	c := sh("sleep 60 & echo $!; read x")
	c.SysProcAttr = plainGroup(t)
	r := launch(t, c, false)
	pid := r.pidLine(t)
	r.letGo(t)
	before := cpuTime()
	time.AfterFunc(linger, func() { syscall.Kill(pid, syscall.SIGKILL) })
	r.linger()
	t.Logf("CPU time of a tree that lingers for %v: %v", linger, cpuTime()-before)
}

func cpuTime() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
