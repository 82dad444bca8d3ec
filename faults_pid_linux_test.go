package xexec_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A process that is reaped has given back its id, and the next one gets it. In a
// name space of its own a program can see to that.
func TestSignalNeverReachesTheNextOwnerOfThePid(t *testing.T) {
	runFault(t, "reused pid", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS})
}

func faultReusedPid() {
	if !mountProc() {
		return
	}
	r, w, err := os.Pipe()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	defer w.Close() // and the strangers end
	stranger := func(pid int) *os.Process {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
			return nil
		}
		p, err := os.StartProcess("/proc/self/exe", []string{"stranger", helperArg, "held"}, &os.ProcAttr{
			Files: []*os.File{nil, nil, nil, r},
		})
		if err != nil {
			return nil
		}
		return p
	}
	hits := 0
	for i := range 30 {
		c := selfCmd("exit", "0")
		if err := c.Start(); err != nil {
			fmt.Println(err)
			return
		}
		pid := c.Pid()
		unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)

		// It has exited. One waits, the others signal, and the moment that the
		// id is free it is another's.
		var all sync.WaitGroup
		begin, over := make(chan struct{}), make(chan struct{})
		for j := range 2 {
			all.Go(func() {
				<-begin
				for {
					var err error
					if j == 0 {
						err = c.Kill()
					} else {
						err = c.Terminate()
					}
					if err != os.ErrProcessDone {
						fmt.Println("a signal to a process that has exited:", err)
					}
					select {
					case <-over:
						return
					default:
						runtime.Gosched()
					}
				}
			})
		}
		close(begin)
		if i%2 == 0 {
			<-c.Done()
		} else if err := c.Wait(); err != nil {
			fmt.Println(err)
		}
		p := stranger(pid)
		for end := time.Now().Add(2 * time.Millisecond); time.Now().Before(end); {
			runtime.Gosched()
		}
		close(over)
		all.Wait()
		if p == nil {
			fmt.Println("skip: no process id can be asked for")
			return
		}
		if err := c.Shutdown(ended); err != nil {
			fmt.Println("Shutdown:", err)
		}
		if p.Pid == pid {
			hits++
		}
		if err := p.Signal(syscall.Signal(0)); err != nil || processState(p.Pid) == "Z" {
			fmt.Println("the stranger is dead")
		}
		p.Kill()
		if state, err := p.Wait(); err != nil || state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			fmt.Println("the stranger:", state, err)
		}
	}
	sayIfNot(hits >= 10, "only %d of 30 have got the id", hits)
}
