package faults_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
)

func init() {
	testkit.Register("fault", helperFault)
	testkit.Register("orphan", helperOrphan)
	testkit.Register("root", helperRoot)
}

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
		p, err := os.StartProcess("/proc/self/exe", []string{"stranger", testkit.HelperArg, "held"}, &os.ProcAttr{
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
		if err := c.Shutdown(testkit.Ended); err != nil {
			fmt.Println("Shutdown:", err)
		}
		if p.Pid == pid {
			hits++
		}
		if err := p.Signal(syscall.Signal(0)); err != nil || testkit.ProcessState(p.Pid) == "Z" {
			fmt.Println("the stranger is dead")
		}
		p.Kill()
		if state, err := p.Wait(); err != nil || state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			fmt.Println("the stranger:", state, err)
		}
	}
	sayIfNot(hits >= 10, "only %d of 30 have got the id", hits)
}

// Faults that concern a whole process run in a child that is the test binary.
// Each prints what is wrong, and nothing if all is well.
var processFaults = map[string]func(){
	"stealing reaper":   faultStealingReaper,
	"SIGCHLD ignored":   faultIgnoredSIGCHLD,
	"no more processes": faultNoMoreProcesses,
	"reaper of orphans": faultReaperOfOrphans,
	"reused pid":        faultReusedPid,
	"GODEBUG":           faultGodebug,
	"foreign proc":      faultForeignProc,
	"root's leader":     faultRootsLeader,
}

func helperFault(args []string) int {
	before, goroutines := testkit.TakeStock(), goleak.IgnoreCurrent()
	processFaults[args[0]]()
	if err := testkit.LeakedGoroutines(goroutines); err != nil {
		fmt.Println(err)
	}
	for _, leak := range before.Leaks() {
		fmt.Println(leak)
	}
	return 0
}

// runFault runs a fault in a child, which c must not have changed otherwise.
func runFault(t *testing.T, name string, attr *syscall.SysProcAttr, env ...string) {
	t.Helper()
	t.Parallel()
	testkit.Deadline(t, 2*testkit.Stuck)
	if attr != nil {
		testkit.NeedAdmin(t)
	}
	c := testkit.Command(t, "fault", name)
	c.SysProcAttr = attr
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if skip, ok := strings.CutPrefix(string(out), "skip: "); ok {
		testkit.Lack(t, skip)
	}
	if err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

func selfCmd(name string, args ...string) *xexec.Cmd {
	return xexec.Command("/proc/self/exe", append([]string{testkit.HelperArg, name}, args...)...)
}

func sayIfNot(ok bool, format string, args ...any) {
	if !ok {
		fmt.Printf(format+"\n", args...)
	}
}

// Another part of the program waits for any child, and takes each status that
// it can get.
func TestWait4OfAnyChild(t *testing.T) { runFault(t, "stealing reaper", nil) }

func faultStealingReaper() {
	stop, stopped := make(chan struct{}), make(chan struct{})
	stolen := make(map[int]bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			var status syscall.WaitStatus
			if pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); err == nil && pid > 0 {
				stolen[pid] = true
			}
		}
	}()
	type end struct {
		pid int
		err error
	}
	var ends []end
	for i := range 60 {
		c := selfCmd("say", "o:some", "x:"+strconv.Itoa(i%2*3))
		var out bytes.Buffer
		c.Stdout = &out
		if err := c.Start(); err != nil {
			fmt.Println(err)
			continue
		}
		if i%3 == 0 {
			<-c.Done()
		}
		err := c.Wait()
		ends = append(ends, end{c.Process.Pid, err})
		sayIfNot(out.String() == "some", "output %q", &out)
		sayIfNot(c.Kill() == os.ErrProcessDone, "Kill after Wait")
		sayIfNot(errors.Is(err, syscall.ECHILD) || (i%2 == 1) == (err != nil), "Wait of number %d: %v", i, err)
	}
	close(stop)
	<-stopped
	for _, e := range ends {
		sayIfNot(stolen[e.pid] == errors.Is(e.err, syscall.ECHILD), "stolen %v, Wait: %v", stolen[e.pid], e.err)
	}
	if err := selfCmd("exit", "0").Run(); err != nil {
		fmt.Println("afterwards:", err)
	}
}

// The kernel reaps each child itself.
func TestSIGCHLDIgnored(t *testing.T) { runFault(t, "SIGCHLD ignored", nil) }

func faultIgnoredSIGCHLD() {
	signal.Ignore(syscall.SIGCHLD)
	for range 5 {
		std := exec.Command("/proc/self/exe", testkit.HelperArg, "say", "o:some", "x:3")
		want, stdErr := std.Output()
		got, err := selfCmd("say", "o:some", "x:3").Output()
		sayIfNot(errors.Is(err, syscall.ECHILD), "Output: %v", err)
		sayIfNot(testkit.Describe(err) == testkit.Describe(stdErr) || errors.Is(stdErr, syscall.ECHILD), "%v, os/exec: %v", err, stdErr)
		sayIfNot(bytes.Equal(want, got), "%q, os/exec: %q", got, want)
	}
	// A signal must not reach whoever has got the id.
	c := selfCmd("serve", "0")
	in, _ := c.StdinPipe()
	if err := c.Start(); err != nil {
		fmt.Println(err)
		return
	}
	sayIfNot(c.Signal(syscall.SIGCONT) == nil, "Signal to a live child")
	in.Close()
	sayIfNot(errors.Is(c.Wait(), syscall.ECHILD), "Wait")
	sayIfNot(c.Kill() == os.ErrProcessDone, "Kill after the end")
	signal.Notify(make(chan os.Signal, 1), syscall.SIGCHLD) // no longer ignored
	if err := selfCmd("exit", "0").Run(); err != nil {
		fmt.Println("afterwards:", err)
	}
}

// A user may have so many processes, and has them.
func TestNoMoreProcesses(t *testing.T) {
	testkit.NeedCapability(t, "CAP_SETUID", unix.CAP_SETUID) // to become one who has no processes
	runFault(t, "no more processes", nil)
}

func faultNoMoreProcesses() {
	// Nobody else's processes count, and root's are not limited.
	const uid = 54321
	var locked, idle sync.WaitGroup
	locked.Add(8)
	for range 8 { // threads that the runtime may need while there are no more
		idle.Go(func() {
			runtime.LockOSThread()
			locked.Done()
			locked.Wait() // so there is one for each
			runtime.UnlockOSThread()
		})
	}
	idle.Wait()
	if err := syscall.Setuid(uid); err != nil {
		fmt.Println("skip:", err)
		return
	}
	exe := "/proc/self/exe"
	if err := xexec.Command(exe, testkit.HelperArg, "exit", "0").Run(); err != nil {
		fmt.Println("skip: another user cannot run this program:", err)
		return
	}
	var old unix.Rlimit
	unix.Prlimit(0, unix.RLIMIT_NPROC, nil, &old)
	for range 5 {
		c := xexec.Command(exe, testkit.HelperArg, "say", "o:some")
		c.Stdout, c.Stdin = new(bytes.Buffer), strings.NewReader("x")
		unix.Prlimit(0, unix.RLIMIT_NPROC, &unix.Rlimit{Cur: 1, Max: old.Max}, nil)
		err := c.Start()
		unix.Prlimit(0, unix.RLIMIT_NPROC, &old, nil)
		sayIfNot(errors.Is(err, syscall.EAGAIN), "Start: %v", err)
		sayIfNot(c.Process == nil, "there is a process")
	}
	if err := xexec.Command(exe, testkit.HelperArg, "exit", "0").Run(); err != nil {
		fmt.Println("afterwards:", err)
	}
}

// helperRoot is a set-user-ID program: it becomes root, and starts a process of the
// user's in its group. It ends with its input.
func helperRoot([]string) int {
	uid := uint32(os.Getuid())
	signal.Ignore(syscall.SIGTERM)
	if err := syscall.Setuid(0); err != nil {
		fmt.Println("skip:", err)
		return 0
	}
	c := exec.Command("/proc/self/exe", testkit.HelperArg, "cat")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, NoSetGroups: true}}
	in, err := c.StdinPipe()
	if err == nil {
		err = c.Start()
	}
	fmt.Println("ready", err)
	io.Copy(io.Discard, os.Stdin)
	in.Close()
	c.Wait()
	return 0
}

// The leader of a group cannot be killed, another of it can: whoever stops the group is
// told, and does not wait for the leader.
func TestLeaderThatCannotBeKilled(t *testing.T) {
	testkit.NeedAdmin(t)
	exe, _ := testkit.NeedHelper(t, "root")
	program, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755) // for another user
	path := filepath.Join(dir, "root")
	os.WriteFile(path, program, 0o755)
	if err := os.Chmod(path, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	runFault(t, "root's leader", nil, "XEXEC_TEST_SETUID="+path)
}

func faultRootsLeader() {
	if err := syscall.Setuid(54321); err != nil {
		fmt.Println("skip:", err)
		return
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, stop := range map[string]func(*xexec.Cmd) error{
		"Shutdown": func(c *xexec.Cmd) error { return c.Shutdown(ended) },
		"Cancel":   func(c *xexec.Cmd) error { return c.Cancel() },
	} {
		c := xexec.CommandContext(context.Background(), os.Getenv("XEXEC_TEST_SETUID"), testkit.HelperArg, "root")
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		c.SetTree(true)
		in, err1 := c.StdinPipe()
		out, err2 := c.StdoutPipe()
		if err := errors.Join(err1, err2, c.Start()); err != nil {
			fmt.Println("skip:", err)
			return
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if line != "ready <nil>\n" || c.TreeKind() != xexec.ProcessGroup {
			in.Close()
			c.Wait()
			fmt.Printf("skip: no leader of root's: %q, %v, %v\n", line, err, c.TreeKind())
			return
		}
		err = stop(c)
		sayIfNot(errors.Is(err, os.ErrPermission), "%s: %v", name, err)
		in.Close()
		c.Wait()
	}
}

// helperOrphan leaves a process behind that ends a little later than it does.
func helperOrphan(args []string) int {
	c := exec.Command("/proc/self/exe", testkit.HelperArg, "cat")
	r, w, err := os.Pipe()
	if err != nil {
		return 1
	}
	c.Stdin = r
	if c.Start() != nil {
		return 1
	}
	_ = w // ends with this process
	return testkit.Atoi(args[0])
}

// The program is the first process of its pid name space, and reaps what its
// children leave behind while others wait for them: by looking first whose it is.
func TestFirstProcessOfItsNameSpace(t *testing.T) {
	testkit.NeedHelper(t, "orphan")
	runFault(t, "reaper of orphans", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS})
}

func mountProc() bool {
	if err := testkit.MountProc(); err != nil {
		fmt.Println("skip: no /proc for the name space:", err)
		return false
	}
	return true
}

func faultReaperOfOrphans() {
	if !mountProc() {
		return
	}
	sayIfNot(os.Getpid() == 1, "pid %d", os.Getpid())
	var starting sync.Mutex // not held, each child is known to be a command, or is an orphan
	commands := make(map[string]bool)
	over, reaped := make(chan struct{}), make(chan int)
	go func() {
		for orphans := 0; ; {
			err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOWAIT, nil)
			starting.Lock()
			for child, what := range testkit.TakeStock().Children {
				if strings.HasSuffix(what, "state Z") && !commands[child] {
					syscall.Wait4(testkit.Atoi(child), nil, 0, nil)
					orphans++
				}
			}
			starting.Unlock()
			select {
			case <-over:
				if err == unix.ECHILD {
					reaped <- orphans
					return
				}
			default:
			}
		}
	}()
	results := make(chan error)
	go func() {
		for i := range 40 {
			c := selfCmd("orphan", strconv.Itoa(i%3))
			starting.Lock()
			err := c.Start()
			commands[strconv.Itoa(c.Pid())] = true
			starting.Unlock()
			if err != nil {
				results <- err
				continue
			}
			go func() { results <- c.Wait() }()
		}
	}()
	var codes [3]int
	for range 40 {
		err := <-results
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			fmt.Println(err)
			continue
		}
		code := 0
		if exit != nil {
			code = exit.ExitCode()
		}
		codes[code]++
	}
	sayIfNot(codes == [3]int{14, 13, 13}, "exit codes %v", codes)
	close(over)
	orphans := <-reaped
	sayIfNot(orphans == 40, "%d orphans reaped", orphans)
}

// os/exec's own switches mean the same.
func TestGodebugOfOsExec(t *testing.T) {
	for _, value := range []string{"execerrdot=0", "execerrdot=1", "execwait=1", "execwait=2"} {
		t.Run(value, func(t *testing.T) { runFault(t, "GODEBUG", nil, "GODEBUG="+value, "PATH=.") })
	}
}

func faultGodebug() {
	exe, err := os.Executable()
	if err != nil {
		fmt.Println(err)
		return
	}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := os.Symlink(exe, dir+"/prog"); err != nil {
		fmt.Println(err)
		return
	}
	os.Chdir(dir)
	std, x := exec.Command("prog", testkit.HelperArg, "say", "o:some"), xexec.Command("prog", testkit.HelperArg, "say", "o:some")
	sayIfNot(std.Path == x.Path && testkit.Describe(std.Err) == testkit.Describe(x.Err), "%s %v, os/exec: %s %v", x.Path, x.Err, std.Path, std.Err)
	stdOut, stdErr := std.Output()
	out, err := x.Output()
	sayIfNot(bytes.Equal(out, stdOut) && testkit.Describe(err) == testkit.Describe(stdErr), "%q %v, os/exec: %q %v", out, err, stdOut, stdErr)
	stdPath, stdErr := exec.LookPath("prog")
	path, err := xexec.LookPath("prog")
	sayIfNot(path == stdPath && testkit.Describe(err) == testkit.Describe(stdErr), "%q %v, os/exec: %q %v", path, err, stdPath, stdErr)
	// With execwait, a command that is waited for in whatever way is not reported.
	for _, wait := range []func(c *xexec.Cmd){
		func(c *xexec.Cmd) { c.Wait() },
		func(c *xexec.Cmd) { <-c.Done() },
		func(c *xexec.Cmd) { c.Shutdown(context.Background()) },
		func(c *xexec.Cmd) {
			for done := false; !done; done, _ = c.TryWait() {
				time.Sleep(time.Millisecond)
			}
		},
	} {
		c := selfCmd("exit", "0")
		if err := c.Start(); err != nil {
			fmt.Println(err)
		}
		wait(c)
	}
	os.Chdir("/")
}

// In a pid name space of its own, but with the /proc of another, a program cannot
// see who is left of a process group.
func TestTreeWithTheProcOfAnotherNameSpace(t *testing.T) {
	runFault(t, "foreign proc", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID})
}

func faultForeignProc() {
	for _, script := range []string{
		"exit 3",
		"sleep 1000 & exit 3",
		"trap 'exit 3' TERM; (trap '' TERM; exec sleep 1000) & echo ready; wait", // is terminated
	} {
		c := xexec.Command("/bin/sh", "-c", script)
		c.SetTree(true)
		if dir := testkit.CgroupDir(); dir != "" {
			f, err := os.Open(dir)
			if err != nil {
				fmt.Println(err)
				return
			}
			defer f.Close()
			c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
		}
		out := testkit.NewReadyWriter()
		c.Stdout = out
		if err := c.Start(); err != nil {
			fmt.Println(err)
			return
		}
		sayIfNot(c.TreeKind() == xexec.ProcessGroup, "%v", c.TreeKind())
		if strings.Contains(script, "ready") {
			<-out.Ready
			if err := c.Terminate(); err != nil {
				fmt.Println("Terminate:", err)
			}
		}
		err := c.Wait() // returns when nobody has the output any more
		sayIfNot(err != nil && err.Error() == "exit status 3", "%s: %v", script, err)
	}
}
