package xexec_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() {
	testkit.Register("family", helperFamily)
	testkit.Register("interruptible", helperInterruptible)
	testkit.Register("parent", helperParent)
}

var kernel32 = windows.NewLazySystemDLL("kernel32.dll")

// wine is why a test of console events is made in another way.
func wine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

// helperFamily starts as many others as its first argument says, which do the
// same with one less. Each prints its process id, and the first one then exits
// with the code in the second argument, or waits with the others to be killed.
func helperFamily(args []string) int {
	n := testkit.Atoi(args[0])
	if n > 0 {
		for range 2 {
			c := exec.Command(os.Args[0], testkit.HelperArg, "family", fmt.Sprint(n-1), "stay")
			c.Stderr = os.Stderr
			out, err := c.StdoutPipe()
			if err == nil {
				err = c.Start()
			}
			if err != nil {
				fmt.Println(err)
				return 1
			}
			buf := make([]byte, 1024)
			for total := 0; total < 1<<n-1; {
				n, err := out.Read(buf)
				if err != nil {
					return 1
				}
				os.Stdout.Write(buf[:n])
				total += strings.Count(string(buf[:n]), "\n")
			}
		}
	}
	fmt.Println(os.Getpid())
	if args[1] != "stay" {
		return testkit.Atoi(args[1])
	}
	select {}
}

// A family is a tree whose members' handles are open.
type family struct {
	testing.TB
	handles []windows.Handle
}

const familySize = 7

// startFamily starts c, which is helperFamily with n = 2, as a tree.
func startFamily(t testing.TB, c *xexec.Cmd) *family {
	t.Helper()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	f := &family{TB: t}
	for range familySize {
		pid := 0
		if _, err := fmt.Fscan(out, &pid); err != nil {
			t.Fatal(err)
		}
		h, err := windows.OpenProcess(windows.SYNCHRONIZE|windows.PROCESS_TERMINATE, false, uint32(pid))
		if err == windows.ERROR_INVALID_PARAMETER {
			continue // it is dead already
		} else if err != nil {
			t.Fatal(err)
		}
		f.handles = append(f.handles, h)
	}
	t.Cleanup(func() {
		for _, h := range f.handles {
			windows.CloseHandle(h)
		}
	})
	return f
}

func (f *family) alive() (n int) {
	for _, h := range f.handles {
		if hasEnded(f, h, 0) {
			continue
		}
		n++
	}
	return n
}

// gone fails if a member is alive.
func (f *family) gone() {
	f.Helper()
	if n := f.alive(); n != 0 {
		f.Errorf("%d are alive", n)
		for _, h := range f.handles {
			windows.TerminateProcess(h, 1)
		}
	}
}

func hasEnded(t testing.TB, h windows.Handle, timeout time.Duration) bool {
	t.Helper()
	event, err := windows.WaitForSingleObject(h, uint32(timeout.Milliseconds()))
	if err != nil {
		t.Error(err)
	}
	return event == windows.WAIT_OBJECT_0
}

func TestJobEndsWithItsLeader(t *testing.T) {
	for _, by := range []string{"Wait", "os/exec's Wait"} {
		t.Run("reaped by "+by, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)
			c := xtest.Helper(t, "family", "2", "3")
			c.SetTree(true)
			f := startFamily(t, c)
			if c.TreeKind() != xexec.JobObject {
				t.Errorf("TreeKind is %v", c.TreeKind())
			}
			if by != "Wait" {
				c.Std().Wait()
				if err := c.Terminate(); err == nil || errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("Terminate has tried CTRL_BREAK with an id that is free: %v", err)
				}
				if n := f.alive(); n != familySize-1 {
					t.Errorf("%d are alive", n)
				}
			}
			c.Wait()
			f.gone()
			if code := c.ProcessState.ExitCode(); code != 3 {
				t.Errorf("exit code %d", code)
			}
			for _, sig := range []os.Signal{os.Kill, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
				if err := c.Signal(sig); err != os.ErrProcessDone {
					t.Errorf("late %v: %v", sig, err)
				}
			}
		})
	}
}

func TestJobIsKilled(t *testing.T) {
	for _, how := range []string{"kill", "context", "kill without the leader"} {
		t.Run(how, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			code := "stay"
			if how == "kill without the leader" {
				code = "0"
			}
			c := xtest.HelperContext(ctx, t, "family", "2", code)
			c.SetTree(true)
			f := startFamily(t, c)
			switch how {
			case "kill":
				if n := f.alive(); n != familySize {
					t.Errorf("%d are alive", n)
				}
				if err := c.Kill(); err != nil {
					t.Error(err)
				}
			case "context":
				cancel()
			default:
				testkit.Eventually(t, "the leader exits", func() bool { return f.alive() == familySize-1 })
				if err := c.Kill(); err != nil {
					t.Error(err)
				}
				testkit.Eventually(t, "os.ErrProcessDone", func() bool { return c.Kill() == os.ErrProcessDone })
			}
			err := c.Wait()
			f.gone()
			if code == "0" && err != nil || code != "0" && c.ProcessState.ExitCode() != 1 {
				t.Errorf("Wait: %v", err)
			}
			if how == "context" && c.Cause() != context.Canceled {
				t.Errorf("Cause: %v", c.Cause())
			}
		})
	}
}

// needConsole gives the test process a console if it has none, as under go test.
func needConsole(t testing.TB) {
	t.Helper()
	var pids [1]uint32
	if n, _, _ := kernel32.NewProc("GetConsoleProcessList").Call(uintptr(unsafe.Pointer(&pids[0])), 1); n != 0 {
		return
	}
	kernel32.NewProc("FreeConsole").Call()
	if ok, _, err := kernel32.NewProc("AllocConsole").Call(); ok == 0 {
		testkit.Lack(t, "no console: ", err)
	}
}

// helperInterruptible exits with 7 when it is interrupted.
func helperInterruptible([]string) int {
	// A new console process group ignores CTRL_C until it is told not to.
	kernel32.NewProc("SetConsoleCtrlHandler").Call(0, 0)
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	fmt.Println("ready")
	<-interrupts
	return 7
}

func TestJobShutdown(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	needConsole(t)
	c := xtest.Helper(t, "interruptible")
	c.SetTree(true)
	xtest.StartReady(t, xtest.X.From(c.Std()))
	grace := testkit.Stuck
	if wine() {
		grace = 500 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := c.Shutdown(ctx)
	if wine() {
		// Wine's gap: it accepts CTRL_BREAK and does not deliver it. So this
		// shows that the grace ends in a kill.
		if !errors.Is(err, context.DeadlineExceeded) || c.ProcessState.ExitCode() != 1 {
			t.Errorf("Shutdown: %v, %v", err, c.ProcessState)
		}
		return
	}
	if err != nil || c.ProcessState.ExitCode() != 7 {
		t.Errorf("Shutdown: %v, %v", err, c.ProcessState)
	}
}

// The leader leads a console process group of its own, which events reach. As
// Wine does not deliver CTRL_BREAK, the test sends CTRL_C, which it does.
func TestJobLeadsAConsoleGroup(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	needConsole(t)
	c := xtest.Helper(t, "interruptible")
	c.SetTree(true)
	xtest.StartReady(t, xtest.X.From(c.Std()))
	if err := windows.GenerateConsoleCtrlEvent(windows.CTRL_C_EVENT, uint32(c.Pid())); err != nil {
		t.Error(err)
		c.Kill()
	}
	c.Wait()
	if code := c.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit code %d", code)
	}
}

func TestSignalOnWindows(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	needConsole(t)
	for _, test := range []struct {
		name  string
		flags uint32
		sig   os.Signal
		want  error
	}{
		{"own group", windows.CREATE_NEW_PROCESS_GROUP, os.Interrupt, nil},
		{"own group", windows.CREATE_NEW_PROCESS_GROUP, syscall.SIGTERM, nil},
		{"own group", windows.CREATE_NEW_PROCESS_GROUP, syscall.SIGHUP, errors.ErrUnsupported},
		{"our group", 0, os.Interrupt, errors.ErrUnsupported},
		{"own console", windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS, os.Interrupt, errors.ErrUnsupported},
	} {
		c := xtest.Helper(t, "family", "0", "stay")
		c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: test.flags}
		xtest.StartReady(t, xtest.X.From(c.Std()))
		if err := c.Signal(test.sig); !errors.Is(err, test.want) {
			t.Errorf("%s: %v: %v", test.name, test.sig, err)
		}
		c.Kill()
		c.Wait()
		if err := c.Signal(test.sig); err != os.ErrProcessDone {
			t.Errorf("%s: late %v: %v", test.name, test.sig, err)
		}
	}
}

func TestSuspendedStaysSuspended(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for _, prepare := range []func(*xexec.Cmd){
		func(c *xexec.Cmd) { c.SetTree(true) },
		func(c *xexec.Cmd) { c.SetKillOnParentExit(true) },
	} {
		attr := &syscall.SysProcAttr{CreationFlags: windows.CREATE_SUSPENDED}
		c := xtest.Helper(t, "exit", "4")
		c.SysProcAttr = attr
		prepare(c)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if attr.CreationFlags != windows.CREATE_SUSPENDED || c.SysProcAttr != attr {
			t.Errorf("SysProcAttr was modified: %+v", attr)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		if err := c.WaitContext(ctx); err != context.DeadlineExceeded {
			t.Errorf("it is not suspended: %v", err)
		}
		resume := windows.NewLazySystemDLL("ntdll.dll").NewProc("NtResumeProcess")
		c.Process.WithHandle(func(h uintptr) { resume.Call(h) })
		c.Wait()
		if code := c.ProcessState.ExitCode(); code != 4 {
			t.Errorf("exit code %d", code)
		}
	}
}

// helperParent starts a family that is to die with it, prints its process ids
// and waits to be killed.
func helperParent(args []string) int {
	c := xexec.Command(os.Args[0], testkit.HelperArg, "family", "2", "stay")
	c.Stdout = os.Stdout
	c.SetKillOnParentExit(args[0] != "tree alone")
	c.SetTree(args[0] != "leader")
	if err := c.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	select {}
}

func TestKillOnParentExit(t *testing.T) {
	for _, test := range []struct {
		arg   string
		alive int
	}{{"tree", 0}, {"leader", familySize - 1}, {"tree alone", familySize}} {
		t.Run(test.arg, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)
			parent := xtest.Helper(t, "parent", test.arg)
			f := startFamily(t, parent)
			if n := f.alive(); n != familySize {
				t.Errorf("%d are alive", n)
			}
			parent.Kill()
			parent.Wait()
			// The leader is the last to have printed its id.
			if test.alive < familySize && !hasEnded(t, f.handles[familySize-1], testkit.Stuck/2) {
				t.Error("the leader lives on")
			}
			testkit.Eventually(t, "the right number is alive", func() bool { return f.alive() == test.alive })
			if test.alive == familySize && hasEnded(t, f.handles[familySize-1], 200*time.Millisecond) {
				t.Error("the leader is dead")
			}
			for _, h := range f.handles {
				windows.TerminateProcess(h, 1)
			}
		})
	}
}

func TestJobFromManyGoroutines(t *testing.T) {
	testkit.Deadline(t, 2*testkit.Stuck)
	rounds := 10
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		ctx, cancel := context.WithCancel(context.Background())
		c := xtest.HelperContext(ctx, t, "family", "2", "stay")
		c.SetTree(true)
		f := startFamily(t, c)
		results := make([]error, 32)
		var all sync.WaitGroup
		for i := range results {
			all.Go(func() {
				switch i % 8 {
				case 0:
					c.Terminate()
				case 1:
					c.Kill()
				case 2:
					c.Shutdown(ctx)
				case 3:
					cancel()
				case 4:
					c.TryWait()
				}
				results[i] = c.Wait()
			})
		}
		all.Wait()
		cancel()
		f.gone()
		for _, err := range results {
			if err != results[0] || err == nil {
				t.Errorf("Wait: %v and %v", results[0], err)
			}
		}
	}
}
