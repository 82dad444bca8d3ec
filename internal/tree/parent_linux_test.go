package tree

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A kept is a process that dies with its parent.
type kept struct {
	*exec.Cmd
	launch *Launch
}

func keep(t testing.TB, c *exec.Cmd) kept {
	t.Helper()
	l, err := Prepare(c.SysProcAttr, c.Dir, false, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := start(l, c); err != nil {
		l.Abort()
		t.Fatal(err)
	}
	return kept{c, l}
}

func (k kept) reap() {
	k.Process.Kill()
	k.Wait()
	k.launch.Reaped()
}

// countKeepers returns how many keepers there are.
func countKeepers() int {
	keepers.mu.Lock()
	defer keepers.mu.Unlock()
	return len(keepers.all)
}

func threads(t testing.TB) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip(err)
	}
	return len(tasks)
}

// One start after the other takes one thread, and the last child's end ends it.
func TestKeeperLivesAsLongAsItsChildren(t *testing.T) {
	needProc(t)
	if !alone(t, nil) {
		return
	}
	exec.Command("true").Run()
	goroutines := runtime.NumGoroutine()
	var all []kept
	for range 20 {
		all = append(all, keep(t, exec.Command("sleep", "60")))
	}
	if n := countKeepers(); n != 1 {
		t.Errorf("%d keepers", n)
	}
	tid := parentThread(t, all[0].Process.Pid)
	for i, k := range all {
		if countKeepers() != 1 {
			t.Errorf("it has ended before %d of its children", len(all)-i)
		}
		if !isAlive(k.Process.Pid) {
			t.Error("a child is dead")
		}
		k.reap()
		k.launch.Reaped() // again
	}
	if n := countKeepers(); n != 0 {
		t.Errorf("%d keepers are left", n)
	}
	if tid != os.Getpid() { // the first thread cannot end
		eventually(t, "the thread has ended", func() bool {
			_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", tid))
			return err != nil
		})
	}
	eventually(t, "the goroutine has ended", func() bool { return runtime.NumGoroutine() <= goroutines })
}

// parentThread returns the thread that has forked pid.
func parentThread(t testing.TB, pid int) int {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip(err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		if err != nil {
			t.Skip(err)
		}
		var tid, child int
		fmt.Sscan(task.Name(), &tid)
		for rest := string(b); ; {
			if _, err := fmt.Sscan(rest, &child); err != nil {
				break
			}
			if child == pid {
				return tid
			}
			rest = rest[len(fmt.Sprint(child))+1:]
		}
	}
	t.Fatal("it is nobody's child")
	return 0
}

// The thread that has asked for the start may end: the child stays.
func TestChildOutlivesTheThreadThatAsked(t *testing.T) {
	needProc(t)
	var all []kept
	for range 20 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // and it ends with the goroutine
			all = append(all, keep(t, exec.Command("sleep", "60")))
		}()
		<-done
	}
	for range 20 { // threads end
		done := make(chan struct{})
		go func() { runtime.LockOSThread(); close(done) }()
		<-done
	}
	time.Sleep(10 * time.Millisecond) // that nothing happens, no event tells
	for _, k := range all {
		if !isAlive(k.Process.Pid) {
			t.Error("it is dead")
		}
		k.reap()
	}
}

func TestDeathWithTheParent(t *testing.T) {
	needProc(t)
	for _, whole := range []bool{false, true} {
		c := helper("parent")
		if whole {
			c.Args = append(c.Args, "tree")
		}
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		var pids [4]int
		for i := range pids {
			if _, err := fmt.Fscan(out, &pids[i]); err != nil {
				t.Fatal(err)
			}
		}
		c.Process.Kill()
		c.Wait()
		for _, pid := range pids {
			eventually(t, "the child is dead", func() bool { return !isAlive(pid) })
		}
	}
}

func init() {
	helpers["parent"] = func() {
		for range 4 {
			l, err := Prepare(nil, "", len(os.Args) > 1, true)
			if err != nil {
				fmt.Println(err)
			}
			c := exec.Command("sleep", "60")
			if err := start(l, c); err != nil {
				fmt.Println(err)
			}
			fmt.Println(c.Process.Pid)
		}
		time.Sleep(time.Minute)
	}
}

// Starts do not wait for each other, but for a thread if all are busy; a canceled one
// does not.
func TestStartsAreIndependent(t *testing.T) {
	needThreads(t)
	release := make(chan struct{})
	inside := make(chan struct{})
	var all sync.WaitGroup
	for range maxKeepers {
		all.Go(func() {
			l, err := Prepare(nil, "", false, true)
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Abort()
			l.Start(func(*syscall.SysProcAttr) (*os.Process, error) {
				inside <- struct{}{}
				<-release
				return nil, errors.New("no process")
			}, uncanceled)
		})
	}
	within(t, "the others", func() {
		for range maxKeepers {
			<-inside
		}
	})
	l, err := Prepare(nil, "", false, true)
	if err != nil {
		t.Fatal(err)
	}
	canceled := make(chan struct{})
	result := make(chan error)
	c := exec.Command("sleep", "60")
	go func() { result <- start(l, c, nil, canceled) }()
	select {
	case err := <-result:
		t.Error("without a thread:", err)
	case <-time.After(10 * time.Millisecond):
		close(canceled)
		if err := <-result; err != ErrCanceled {
			t.Error("canceled:", err)
		}
	}
	go func() { result <- start(l, c, nil) }()
	close(release)
	all.Wait()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if n := countKeepers(); n != 1 {
		t.Errorf("%d keepers for one child", n)
	}
	kept{c, l}.reap()
	if n, busy := countKeepers(), len(forks); n != 0 || busy != 0 {
		t.Errorf("%d keepers are left, %d busy", n, busy)
	}
}

// A panic in fork, and runtime.Goexit, is that of the caller of Start, and does no
// harm to the children of the same thread.
func TestPanicInFork(t *testing.T) {
	needProc(t)
	for _, parentExit := range []bool{false, true} {
		other := keep(t, exec.Command("sleep", "60"))
		for range 3 {
			l, err := Prepare(nil, "", !parentExit, parentExit)
			if err != nil {
				t.Fatal(err)
			}
			func() {
				defer l.Abort()
				defer func() {
					if v := recover(); v != "no" {
						t.Errorf("recovered %v", v)
					}
				}()
				l.Start(func(*syscall.SysProcAttr) (*os.Process, error) { panic("no") }, uncanceled)
			}()
			ended := make(chan bool)
			go func() {
				defer func() { ended <- recover() == nil }()
				defer l.Abort()
				l.Start(func(*syscall.SysProcAttr) (*os.Process, error) { runtime.Goexit(); return nil, nil }, uncanceled)
				t.Error("Start has returned")
			}()
			if !<-ended {
				t.Error("a panic")
			}
			if err := start(l, exec.Command("false")); err != nil {
				t.Error("a Start after it:", err)
			}
			l.Reaped()
		}
		if !isAlive(other.Process.Pid) {
			t.Error("the child of the thread is dead")
		}
		other.reap()
		if n, busy := countKeepers(), len(forks); n != 0 || busy != 0 {
			t.Errorf("%d keepers are left, %d busy", n, busy)
		}
	}
	for {
		if pid, _ := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 {
			break
		}
	}
}

// Many children, started at a time, take few threads.
func TestThreadsOfManyChildren(t *testing.T) {
	needThreads(t)
	needProc(t)
	if !alone(t, nil) {
		return
	}
	const n = 300
	children := make(chan kept, n)
	var all sync.WaitGroup
	for range 60 {
		all.Go(func() {
			for range n / 60 {
				children <- keep(t, exec.Command("sleep", "60"))
			}
		})
	}
	all.Wait()
	close(children)
	if k, has := countKeepers(), threads(t); k > maxKeepers || has > 64 {
		t.Errorf("%d keepers, %d threads", k, has)
	}
	for k := range children {
		k.reap()
	}
	if k := countKeepers(); k != 0 {
		t.Errorf("%d keepers are left", k)
	}
}

// What the caller has set of it stays.
func TestPdeathsig(t *testing.T) {
	for _, set := range []syscall.Signal{0, unix.SIGTERM} {
		l, err := Prepare(&syscall.SysProcAttr{Pdeathsig: set}, "", false, true)
		if err != nil {
			t.Fatal(err)
		}
		want := set
		if set == 0 {
			want = syscall.SIGKILL
		}
		if l.attr.Pdeathsig != want {
			t.Errorf("%v became %v", set, l.attr.Pdeathsig)
		}
		l.Abort()
	}
}
