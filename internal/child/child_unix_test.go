//go:build unix

package child_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/xexec/internal/child"
	"example.com/xexec/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A locked is a Child with its caller's lock.
type locked struct {
	sync.Mutex
	*child.Child
	changed chan struct{}
}

func (l *locked) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// start starts a script and keeps its Child. The test ends with its end.
func start(t *testing.T, wholeTree bool, script string) (l *locked, out io.Reader) {
	t.Helper()
	testkit.Deadline(t, testkit.Stuck)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	cmd := exec.Command("sh", "-c", script)
	cmd.Stdout = w
	started, err := child.Start(child.Spec{Cmd: cmd, WholeTree: wholeTree})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	started.Streams.Copy(func(error) {}, false)
	l = &locked{changed: make(chan struct{})}
	l.Child = child.New(started, cmd.SysProcAttr, l, l.wake)
	t.Cleanup(func() {
		l.Lock()
		l.Send(os.Kill)
		l.Unlock()
		l.end(t)
	})
	return l, r
}

// end takes the steps to the status as they become due, and returns it.
func (l *locked) end(t *testing.T) (*os.ProcessState, error) {
	t.Helper()
	for {
		l.Lock()
		if l.Finish() && l.Reap() {
			state, err, _ := l.Status()
			l.Unlock()
			return state, err
		}
		changed := l.changed
		l.Unlock()
		if !l.Watch(changed, nil) {
			t.Fatal("Watch was called off by nobody")
		}
	}
}

func (l *locked) do(f func() error) error {
	l.Lock()
	defer l.Unlock()
	return f()
}

func readLine(t *testing.T, r io.Reader) string {
	t.Helper()
	b := make([]byte, 100)
	n, err := r.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestSignalsEndWithTheExit(t *testing.T) {
	l, out := start(t, false, "trap 'exit 3' USR1; echo; while :; do sleep 0.01; done")
	readLine(t, out)
	for _, sig := range []syscall.Signal{0, syscall.SIGUSR1} {
		if err := l.do(func() error { return l.Send(sig) }); err != nil {
			t.Error(sig, err)
		}
	}
	state, err := l.end(t)
	if state.ExitCode() != 3 || err != nil {
		t.Error(state, err)
	}
	if err := l.do(func() error { return l.Send(syscall.SIGTERM) }); err != os.ErrProcessDone {
		t.Error("after the end:", err)
	}
}

// The exit is seen, and signals end, before the process is reaped.
func TestExitIsSeenBeforeItIsReaped(t *testing.T) {
	l, _ := start(t, false, "exit 0")
	if !l.Watch(nil, nil) {
		t.Fatal("called off")
	}
	if err := l.do(func() error { return l.Send(os.Kill) }); err != os.ErrProcessDone {
		t.Error("Send:", err)
	}
	if err := l.do(func() error { return l.End() }); err != os.ErrProcessDone {
		t.Error("End:", err)
	}
	if !testkit.Zombie(l.Pid()) {
		t.Error("it was reaped")
	}
	if state, _ := l.end(t); !state.Success() || l.DiedOfEnd() {
		t.Error(state)
	}
}

func TestEndIsToBlameOnlyForWhatItKills(t *testing.T) {
	l, out := start(t, false, "echo; exec sleep 1000")
	readLine(t, out)
	if err := l.do(func() error { return l.End() }); err != nil {
		t.Fatal(err)
	}
	if _, err := l.end(t); err != nil || !l.DiedOfEnd() {
		t.Error(err)
	}
	l, out = start(t, false, "trap 'exit 0' TERM; echo; while :; do sleep 0.01; done")
	readLine(t, out)
	if err := l.do(func() error { return l.Ask(syscall.SIGTERM) }); err != nil {
		t.Fatal(err)
	}
	if state, _ := l.end(t); !state.Success() || l.DiedOfEnd() {
		t.Error(state)
	}
}

func TestSignalThatDoesNotExistIsUnsupported(t *testing.T) {
	l, _ := start(t, false, "sleep 1000")
	if err := l.do(func() error { return l.Ask(syscall.Signal(1000)) }); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if err := l.do(func() error { return l.Send(syscall.Signal(1000)) }); err == nil || errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
}

// A stopped process obeys once it is asked.
func TestAskContinuesTheStopped(t *testing.T) {
	l, _ := start(t, false, "sleep 1000")
	if err := l.do(func() error { return l.Send(syscall.SIGSTOP) }); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "it is stopped", func() bool { return testkit.ProcessState(l.Pid()) == "T" })
	if err := l.do(func() error { return l.Ask(syscall.SIGTERM) }); err != nil {
		t.Fatal(err)
	}
	if state, _ := l.end(t); state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Error(state)
	}
}

// When the leader exits by itself, the rest is killed before it is reaped; when the
// tree was asked, the rest has time.
func TestRestOfATree(t *testing.T) {
	l, out := start(t, true, "sleep 1000 & echo $!; exit 0")
	rest := testkit.Atoi(string(bytes.TrimSpace([]byte(readLine(t, out)))))
	if state, _ := l.end(t); !state.Success() || testkit.Alive(rest) {
		t.Error(state, "the rest is alive:", testkit.Alive(rest))
	}

	l, out = start(t, true, "trap 'exit 0' TERM; sh -c 'trap \"\" TERM; echo ready; exec sleep 1000' & while :; do sleep 0.01; done")
	readLine(t, out)
	if err := l.do(func() error { return l.Ask(syscall.SIGTERM) }); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the leader has left", func() bool {
		l.Lock()
		defer l.Unlock()
		return l.Look()
	})
	l.Lock()
	if l.Finish() {
		t.Error("the rest was given no time")
	}
	if l.Sealed() {
		t.Error("a tree that was asked has not come to its end by itself")
	}
	if err := l.End(); err != nil {
		t.Error("End of the rest:", err)
	}
	l.Unlock()
	if state, _ := l.end(t); !state.Success() || !l.DiedOfEnd() {
		t.Error(state)
	}
}

// Somebody else has taken the status.
func TestStolenStatus(t *testing.T) {
	l, out := start(t, false, "echo; exec sleep 1000")
	readLine(t, out)
	if err := l.do(func() error { return l.End() }); err != nil {
		t.Fatal(err)
	}
	if _, err := syscall.Wait4(l.Pid(), nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	if state, err := l.end(t); state != nil || !errors.Is(err, syscall.ECHILD) || !l.DiedOfEnd() {
		t.Error(state, err)
	}
}

// A program file that stays open for writing is tried for a while, and no longer
// than a context lasts.
func TestStartOfABusyFile(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	exe := filepath.Join(t.TempDir(), "busy")
	f, err := os.OpenFile(exe, os.O_CREATE|os.O_WRONLY, 0o777)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begin := time.Now()
	if _, err := child.Start(child.Spec{Cmd: exec.Command(exe)}); !errors.Is(err, syscall.ETXTBSY) {
		t.Skip("a file can be executed while it is written:", err)
	}
	if took := time.Since(begin); took < 50*time.Millisecond {
		t.Errorf("it was tried for %v", took)
	}
	ended := make(chan struct{})
	close(ended)
	if _, err := child.Start(child.Spec{Cmd: exec.Command(exe), Ended: [2]<-chan struct{}{ended}}); err != child.ErrCanceled {
		t.Error(err)
	}
}

// What a failed start has opened is closed.
func TestFailedStartLeavesNothing(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	before := testkit.TakeStock()
	for _, wholeTree := range []bool{false, true} {
		cmd := exec.Command("/no/such/program")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(make([]byte, 1<<20)), new(bytes.Buffer), new(bytes.Buffer)
		if _, err := child.Start(child.Spec{Cmd: cmd, WholeTree: wholeTree}); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
	if left := before.Leaks(); len(left) > 0 {
		t.Error(left)
	}
}
