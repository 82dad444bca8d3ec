package modes_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
)

func init() {
	testkit.Register("strangers", helperStrangers)
}

// reuse starts a stranger, a process that leads a group of its own, with the
// given process id, which is free.
func reuse(pid int) (*exec.Cmd, error) {
	// Orphans are ours, as we are the first process, and their group holds the id.
	for err := error(nil); err != syscall.ECHILD; {
		_, err = syscall.Wait4(-pid, nil, 0, nil)
	}
	for range 20 {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
			return nil, err
		}
		c := exec.Command("sleep", "1000")
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := c.Start(); err != nil {
			return nil, err
		}
		if c.Process.Pid == pid {
			return c, nil
		}
		end(c) // a thread of ours has got the number first
	}
	return nil, fmt.Errorf("process id %d cannot be had again", pid)
}

// end kills c and reports whether it was alive until now.
func end(c *exec.Cmd) bool {
	exited := unix.Siginfo{}
	unix.Waitid(unix.P_PID, c.Process.Pid, &exited, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	c.Process.Kill()
	c.Wait()
	return exited.Signo == 0
}

// helperStrangers is the first process of a pid namespace. It counts how many
// strangers are killed by what people write today, and by xexec.
func helperStrangers(args []string) int {
	if err := testkit.MountProc(); err != nil {
		return testkit.Complain(err)
	}
	if args[0] == "no pidfd" {
		if err := testkit.Sandboxes[args[0]].Enter(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	handle := testkit.Pidfd() == nil
	rounds := testkit.Atoi(args[1])

	idiom := 0
	for range rounds {
		c := exec.Command("true")
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		c.Run()
		stranger, err := reuse(c.Process.Pid)
		if err != nil {
			fmt.Println(err)
			return 2
		}
		syscall.Kill(-c.Process.Pid, syscall.SIGTERM)
		// A signal to the group is delivered when kill returns; the death is not
		// waited for by end, so do it here.
		unix.Waitid(unix.P_PID, stranger.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !end(stranger) {
			idiom++
		}
	}

	ours := 0
	for i := range rounds {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		c := xexec.CommandContext(ctx, "sh", "-c", "sleep 1000 & sleep 0.00"+strconv.Itoa(i%10))
		c.Cancel = c.Terminate
		c.SetTree(true)
		if err := c.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
		// They signal while the leader exits, is reaped and replaced.
		var signallers sync.WaitGroup
		over := make(chan struct{})
		for _, signal := range []func() error{
			c.Kill, c.Terminate, func() error { return c.Signal(syscall.SIGINT) },
		} {
			if i%2 == 0 {
				break // in every other round, they come too late only
			}
			signallers.Go(func() {
				for {
					select {
					case <-over:
						return
					default:
						signal()
					}
				}
			})
		}
		c.Wait()
		stranger, err := reuse(c.Process.Pid)
		if err != nil {
			fmt.Println(err)
			return 2
		}
		for _, signal := range []func() error{
			c.Kill, c.Terminate, func() error { return c.Signal(syscall.SIGINT) }, c.Cancel,
		} {
			if err := signal(); err != os.ErrProcessDone {
				fmt.Println("a late signal:", err)
			}
		}
		cancel()
		c.Shutdown(ctx)
		close(over)
		signallers.Wait()
		if !end(stranger) {
			ours++
		}
	}
	// Who has got the id since os/exec's Wait is not waited for.
	c := xexec.Command("true")
	if err := c.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	c.Std().Wait()
	stranger, err := reuse(c.Process.Pid)
	if err != nil {
		fmt.Println(err)
		return 2
	}
	if done, err := c.TryWait(); !done || !errors.Is(err, syscall.ECHILD) {
		fmt.Println("after os/exec's Wait, beside a stranger:", done, err)
	}
	end(stranger)
	if handle { // else the stranger, a child of ours with that id, looks like the leader
		if err := waitsForNoStranger(); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Printf("pidfd %v; of %d strangers, kill(-pid) has killed %d, xexec %d\n", handle, rounds, idiom, ours)
	return 0
}

// waitsForNoStranger lets somebody else take the status of a tree's leader that was
// asked to stop, and its id become that of a group which lives on.
func waitsForNoStranger() error {
	dir, err := os.Open(testkit.CgroupDir()) // the tree is a group then
	c := xexec.Command("sleep", "1000")
	c.SetTree(true)
	if err == nil {
		defer dir.Close()
		c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	}
	if err := errors.Join(c.Start(), c.Terminate()); err != nil {
		return err
	}
	syscall.Wait4(c.Pid(), nil, 0, nil)
	stranger, err := reuse(c.Pid())
	if err != nil {
		return err
	}
	defer end(stranger)
	member := exec.Command("sleep", "1000")
	member.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: c.Pid()}
	if err := member.Start(); err != nil {
		return err
	}
	defer end(member)
	waited := make(chan struct{})
	go func() {
		c.Wait()
		close(waited)
	}()
	select {
	case <-waited:
		return nil
	case <-time.After(testkit.Stuck / 12):
		return errors.New("Wait waits for a stranger's group")
	}
}

func TestNoStrangerIsSignalled(t *testing.T) {
	testkit.NeedAdmin(t)
	const rounds = 60
	for _, name := range []string{"pidfd", "no pidfd"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.Deadline(t, testkit.Stuck)
			if name == "pidfd" {
				testkit.NeedPidfd(t)
			} else {
				testkit.NeedSandbox(t, name)
			}
			c := testkit.Command(t, "strangers", name, strconv.Itoa(rounds))
			c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
			out, err := c.CombinedOutput()
			if c.ProcessState != nil && c.ProcessState.ExitCode() == 2 {
				testkit.Lack(t, string(out))
			}
			want := fmt.Sprintf("pidfd %v; of %d strangers, kill(-pid) has killed %d, xexec 0\n", name == "pidfd", rounds, rounds)
			if string(out) != want || err != nil {
				t.Errorf("%s%v, want %s", out, err, want)
			}
			t.Logf("%s", out)
		})
	}
}
