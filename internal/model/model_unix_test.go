//go:build unix

package model_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
)

// The public methods as a state machine: a command is not started, running,
// exited or reaped, each with and without somebody who waits. Several goroutines
// call random methods of one command, and each call is held against what was
// known before it: facts, which once true stay true.
type model struct {
	t      testing.TB
	c      *xexec.Cmd
	ctx    context.Context
	cancel context.CancelCauseFunc
	exit   func()         // lets the child exit
	output func() string  // what has come of its output, once it is complete
	stdin  io.WriteCloser // StdinPipe's
	stop   syscall.Signal // the stop signal
	tree   bool           // it is one, once it is started
	own    bool           // it has CommandContext's context
	kills  bool           // a context's end is the command's
	quiet  bool           // nobody waits
	late   bool           // nobody waits before the exit
	plain  bool           // nothing is copied or asked, and Start is ours: the exit is the end

	failed   atomic.Bool  // Start has found the context ended
	pid      atomic.Int64 // not 0: it is started
	hopeless atomic.Bool  // Done was closed, and there was no process
	gone     atomic.Bool  // the process was seen to have exited
	reaped   atomic.Bool  // the command is complete

	starts    atomic.Int32
	cancels   atomic.Int32 // Cancels that run
	bound     atomic.Bool  // the start was StartContext's
	mu        sync.Mutex
	trace     []string
	result    error // Wait's
	shutdowns []error
	cause     error
	causes    int
}

var (
	errModelContext  = errors.New("the model's context")
	errModelShutdown = errors.New("the model's Shutdown")
)

const ready = "ready\n" // what the child writes

func TestRandomInterleavingsKeepTheInvariants(t *testing.T) {
	t.Parallel()
	runs := 240
	if testing.Short() || testkit.RaceEnabled {
		runs = 60
	}
	runs, seed := testkit.FromEnv(t, testkit.RandomEnv, runs), testkit.FromEnv(t, testkit.SeedEnv, int(time.Now().UnixNano()%1e9))
	var next atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := next.Add(1); i <= int64(runs) && !t.Failed(); i = next.Add(1) {
				runModel(t, uint64(seed), uint64(i))
			}
		})
	}
	all.Wait()
}

func runModel(t testing.TB, seed, i uint64) {
	rnd := rand.New(rand.NewPCG(seed, i))
	m := newModel(t, rnd)
	stop := time.AfterFunc(testkit.Stuck, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("model %d of seed %d hangs: %v", i, seed, m.trace))
	})
	defer stop.Stop()
	var all sync.WaitGroup
	switch {
	case m.pid.Load() != 0:
	case !m.quiet && m.c.Stdout == nil && rnd.IntN(3) == 0:
		m.runForOutput(&all, rnd)
	case rnd.IntN(2) == 0:
		m.start(rnd)
	}
	for range 2 + rnd.IntN(3) {
		own := rand.New(rand.NewPCG(rnd.Uint64(), i))
		all.Go(func() {
			for range 2 + own.IntN(10) {
				m.step(own)
			}
		})
	}
	byExit := rnd.IntN(3) > 0
	moment := time.Duration(rnd.IntN(4000)) * time.Microsecond
	all.Go(func() { // or all might wait for ever
		time.Sleep(moment)
		m.start(rnd)
		m.end(byExit)
	})
	all.Wait()
	m.finish()
	if t.Failed() {
		t.Logf("model %d of seed %d: %v", i, seed, m.trace)
	}
}

// end makes the command end.
func (m *model) end(byExit bool) {
	if m.kills && (m.own || m.bound.Load()) && !byExit {
		m.cancel(errModelContext)
		return
	}
	m.exit()
}

// newModel makes a command, of one of the kinds that there are.
func newModel(t testing.TB, rnd *rand.Rand) *model {
	m := &model{t: t, plain: true, kills: true, stop: syscall.SIGTERM, output: func() string { return ready }}
	m.quiet, m.late = rnd.IntN(4) == 0, rnd.IntN(3) == 0
	m.ctx, m.cancel = context.WithCancelCause(context.Background())
	foreign := rnd.IntN(5) == 0
	exe, argv := testkit.NeedHelper(t, "serve", fmt.Sprint(rnd.IntN(3)))
	if rnd.IntN(2) == 0 {
		m.c, m.own = xexec.CommandContext(m.ctx, exe, argv...), true
		m.setCancel(rnd)
	} else {
		m.c = xexec.Command(exe, argv...)
	}
	m.connect(rnd)
	if rnd.IntN(4) == 0 {
		m.c.WaitDelay = time.Duration(rnd.IntN(2000)) * time.Microsecond
	}
	if rnd.IntN(3) == 0 {
		m.stop = syscall.SIGINT
		m.c.SetStopSignal(m.stop)
	}
	switch runtime.GOOS {
	case "linux", "darwin", "freebsd":
		if m.tree = rnd.IntN(3) == 0; m.tree {
			m.c.SetTree(true)
		}
	}
	m.c.SetKillOnParentExit(runtime.GOOS == "linux" && rnd.IntN(4) == 0)
	if foreign { // somebody else starts it, before anybody else is there
		m.plain = false
		if m.tree = m.tree && rnd.IntN(2) == 0; m.tree {
			m.c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		}
		if err := m.c.Std().Start(); err != nil {
			t.Fatal(err)
		}
		m.starts.Add(1)
		m.begun(m.c.Process.Pid)
	}
	return m
}

// setCancel chooses what the end of CommandContext's context does.
func (m *model) setCancel(rnd *rand.Rand) {
	var f func() error
	switch rnd.IntN(4) {
	case 0:
		f, m.kills = m.c.Terminate, false
	case 1:
		m.quiet = false
		f = func() error {
			err := m.c.Shutdown(shutdownNow())
			m.shutDown(err, true)
			return err
		}
	default:
		return
	}
	m.plain = false
	pause := time.Duration(rnd.IntN(1000)) * time.Microsecond
	m.c.Cancel = func() error {
		m.cancels.Add(1)
		defer m.cancels.Add(-1)
		time.Sleep(pause)
		return f()
	}
}

// connect chooses where the standard I/O leads.
func (m *model) connect(rnd *rand.Rand) {
	piped := func(pipe io.ReadCloser, err error) io.ReadCloser {
		if err != nil {
			m.t.Fatal(err)
		}
		m.t.Cleanup(func() { pipe.Close() })
		return pipe
	}
	if rnd.IntN(4) == 0 {
		w, err := m.c.StdinPipe()
		if err != nil {
			m.t.Fatal(err)
		}
		m.stdin, m.exit = w, func() { w.Close() }
		m.t.Cleanup(m.exit)
	} else {
		r, w, err := os.Pipe()
		if err != nil {
			m.t.Fatal(err)
		}
		m.c.Stdin = r
		m.exit = func() { w.Close() }
		m.t.Cleanup(func() { r.Close(); w.Close() })
	}
	switch rnd.IntN(4) {
	case 1:
		var out bytes.Buffer
		m.c.Stdout, m.output, m.plain = &out, out.String, false
	case 2:
		out := piped(m.c.StdoutPipe())
		m.output = func() string { return m.readAll("StdoutPipe", out) }
		if rnd.IntN(2) == 0 {
			got := make(chan string, 1)
			go func() {
				b, _ := io.ReadAll(out)
				got <- string(b)
			}()
			m.output = func() string { return <-got }
		}
	}
	if rnd.IntN(4) == 0 {
		pipe, output := piped(m.c.StderrPipe()), m.output
		m.output = func() string { return m.readAll("StderrPipe", pipe) + output() }
	}
}

func (m *model) readAll(what string, r io.Reader) string {
	b, err := io.ReadAll(r)
	if err != nil {
		m.t.Errorf("%s: %v", what, err)
	}
	return string(b)
}

// shutdownNow returns a context that has ended.
func shutdownNow() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errModelShutdown)
	return ctx
}

func (m *model) note(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trace = append(m.trace, what)
}

// begun notes that there is a process.
func (m *model) begun(pid int) {
	if !m.pid.CompareAndSwap(0, int64(pid)) && m.pid.Load() != int64(pid) || pid <= 0 {
		m.t.Errorf("Pid: %d, before: %d", pid, m.pid.Load())
	}
}

func (m *model) start(rnd *rand.Rand) {
	if rnd.IntN(2) == 0 {
		m.startOnce("Start", false, m.c.Start)
	} else {
		m.startOnce("StartContext", true, func() error { return m.c.StartContext(m.ctx) })
	}
}

// startOnce checks what a method has returned that starts the command, and
// reports whether it has done that.
func (m *model) startOnce(what string, bound bool, f func() error) (ok bool, err error) {
	before := m.pid.Load() != 0
	err = f()
	switch {
	case err != nil && err.Error() == "exec: already started":
		return false, err
	case before || m.starts.Add(1) > 1:
		m.t.Errorf("%s: %v, after another start", what, err)
		return false, err
	}
	pid := m.c.Pid()
	if pid == 0 {
		m.failed.Store(true)
		if !errors.Is(err, context.Canceled) {
			m.t.Errorf("%s: %v", what, err)
		}
		return false, err
	}
	m.bound.Store(bound)
	m.begun(pid)
	if strings.HasPrefix(what, "Start") && err != nil {
		m.t.Errorf("%s: %v, and there is process %d", what, err, pid)
	}
	return true, err
}

// run starts the command and waits for it.
func (m *model) run(rnd *rand.Rand) {
	what, bound, f := "Run", false, m.c.Run
	if rnd.IntN(2) == 0 {
		what, bound, f = "RunContext", true, func() error { return m.c.RunContext(m.ctx) }
	}
	if ok, err := m.startOnce(what, bound, f); ok {
		m.waited(what, err, true)
	}
}

// runForOutput is run with Output, which sets fields: the others come when it has
// started the command.
func (m *model) runForOutput(all *sync.WaitGroup, rnd *rand.Rand) {
	what, bound := "Output", rnd.IntN(2) == 0
	if bound {
		what = "OutputContext"
	}
	m.note(what)
	m.plain = false
	all.Go(func() {
		var out []byte
		ok, err := m.startOnce(what, bound, func() (err error) {
			if bound {
				out, err = m.c.OutputContext(m.ctx)
			} else {
				out, err = m.c.Output()
			}
			return err
		})
		if !ok {
			m.t.Errorf("%s: %v", what, err)
			return
		}
		if got := string(out); !strings.HasPrefix(ready, got) || err == nil && got != ready {
			m.t.Errorf("%s: %q, %v", what, got, err)
		}
		m.waited(what, err, true)
	})
	for m.c.Pid() == 0 && !m.failed.Load() {
		time.Sleep(100 * time.Microsecond)
	}
	m.begun(m.c.Pid())
}

// unstarted reports whether err says that there is no process, which must not be
// so if there was one before the call.
func (m *model) unstarted(what string, err error, before bool) bool {
	if err == nil || err.Error() != "exec: not started" {
		return false
	}
	if before && !m.failed.Load() {
		m.t.Errorf("%s: %v, after Start has returned", what, err)
	}
	return true
}

// observe notes an exit that the kernel knows of, and minds that nobody is reaped
// for whom nobody waits.
func (m *model) observe(pid int) {
	switch exited, ours := hasExited(pid); {
	case exited:
		m.gone.Store(true)
	case !ours && m.quiet:
		m.t.Errorf("the process was reaped, and nobody has waited")
	}
}

// step calls one method.
func (m *model) step(rnd *rand.Rand) {
	pid, reaped := int(m.pid.Load()), m.reaped.Load()
	started := pid != 0
	if started && !reaped {
		m.observe(pid)
	}
	gone := m.gone.Load()
	calls := []string{"start", "kill", "null", "signal", "terminate", "cause", "pid", "clone", "cancel", "exit", "look", "cont",
		"pause", "until-exited", "until-exited", "treekind", "environ", "fromstd"}
	if !m.quiet && (!m.late || gone) {
		calls = append(calls, "wait", "try", "try", "try", "done", "ended", "timeout", "shutdown", "shutdown-now", "done-wait", "run")
	}
	call := calls[rnd.IntN(len(calls))]
	m.note(call)
	switch call {
	case "start":
		m.start(rnd)
	case "run":
		m.run(rnd)
	case "kill":
		m.signalled(call, m.c.Kill(), started, gone)
	case "null":
		m.signalled(call, m.c.Signal(syscall.Signal(0)), started, gone)
	case "cont":
		m.signalled(call, m.c.Signal(syscall.SIGCONT), started, gone)
	case "signal":
		m.signalled(call, m.c.Signal(syscall.SIGHUP), started, gone)
	case "terminate":
		m.signalled(call, m.c.Terminate(), started, gone)
	case "cause":
		m.checkCause(reaped)
	case "pid":
		if pid := m.c.Pid(); pid != 0 || started {
			m.begun(pid)
		}
	case "treekind":
		if kind := m.c.TreeKind(); kind != xexec.NoTree && !m.tree || kind == xexec.NoTree && m.tree && started {
			m.t.Errorf("TreeKind: %v", kind)
		}
	case "environ":
		if env := m.c.Environ(); !slices.Contains(env, testkit.HelperEnv+"="+testkit.NoHelper) {
			m.t.Errorf("Environ: %v", env)
		}
	case "fromstd":
		if xexec.FromStd(m.c.Std()) != m.c {
			m.t.Errorf("FromStd of Std is another command")
		}
	case "clone":
		d := m.c.Clone()
		if d.Pid() != 0 || d.Kill() == nil {
			m.t.Errorf("the clone is started")
		}
	case "cancel":
		m.cancel(errModelContext)
	case "exit":
		m.exit()
	case "pause":
		time.Sleep(time.Duration(rnd.IntN(3000)) * time.Microsecond)
	case "until-exited":
		m.exit()
		if started && !isZombieSoon(pid) && m.quiet {
			m.t.Errorf("the process was reaped, and nobody has waited")
		}
	case "look":
		if started { // it reads fields, and a Start that fails writes Err
			_ = m.c.String()
		}
	case "wait":
		m.waited(call, m.c.Wait(), started)
	case "try":
		m.tried(started, gone, reaped)
	case "ended", "timeout":
		ctx := testkit.Ended
		if call == "timeout" {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(context.Background(), time.Duration(rnd.IntN(1000))*time.Microsecond, testkit.ErrCause)
			defer cancel()
		}
		if err := m.c.WaitContext(ctx); !errors.Is(err, testkit.ErrCause) {
			m.waited(call, err, started)
		} else if reaped || gone && m.plain {
			m.t.Errorf("WaitContext of a complete command: %v", err)
		}
	case "done":
		m.checkDone(reaped)
	case "done-wait":
		<-m.c.Done()
		m.waited(call, m.c.Wait(), started)
		if !m.reaped.Load() {
			m.hopeless.Store(true)
		}
	case "shutdown":
		ctx, cancel := context.WithTimeoutCause(context.Background(), time.Duration(rnd.IntN(1000))*time.Microsecond, errModelShutdown)
		defer cancel()
		m.shutDown(m.c.Shutdown(ctx), started)
	case "shutdown-now":
		m.shutDown(m.c.Shutdown(shutdownNow()), started)
	}
}

// signalled checks what Signal has returned.
func (m *model) signalled(what string, err error, started, gone bool) {
	switch {
	case m.unstarted(what, err, started):
	case err == os.ErrProcessDone:
		if state := processState(m.c.Pid()); state != "" && state != "Z" && state != "X" {
			m.t.Errorf("%s: %v, and the process is in state %s", what, err, state)
		}
		m.gone.Store(true)
	case err != nil:
		m.t.Errorf("%s: %v", what, err)
	case gone:
		m.t.Errorf("%s succeeds after the exit", what)
	}
}

// waited checks what Wait has returned, and that all else agrees.
func (m *model) waited(what string, err error, started bool) {
	if m.unstarted(what, err, started) {
		return
	}
	if m.quiet {
		m.t.Errorf("%s in a model in which nobody waits", what)
	}
	m.mu.Lock()
	if m.reaped.Load() && err != m.result {
		m.t.Errorf("%s: %v, another Wait: %v", what, err, m.result)
	}
	m.result = err
	m.gone.Store(true)
	m.reaped.Store(true)
	m.mu.Unlock()

	if m.cancels.Load() != 0 {
		m.t.Errorf("a Cancel runs after %s", what)
	}
	if m.c.ProcessState == nil {
		m.t.Errorf("no ProcessState after %s", what)
	}
	if state := processState(m.c.Pid()); state == "Z" && isOurs(m.c.Pid()) {
		m.t.Errorf("a zombie after %s", what)
	}
	if done, again := m.c.TryWait(); !done || again != err {
		m.t.Errorf("TryWait after %s: %v, %v", what, done, again)
	}
	if again := m.c.WaitContext(testkit.Ended); again != err {
		m.t.Errorf("WaitContext after %s: %v", what, again)
	}
	m.checkDone(true)
	m.checkCause(true)
	m.signalled("a signal after "+what, m.c.Signal(syscall.Signal(0)), true, true)
}

func (m *model) tried(started, gone, reaped bool) {
	done, err := m.c.TryWait()
	switch {
	case m.unstarted("TryWait", err, started):
	case done:
		m.waited("TryWait", err, started)
	case err != nil:
		m.t.Errorf("TryWait: not done, %v", err)
	case reaped:
		m.t.Errorf("TryWait: not done, after Wait")
	case gone && m.plain:
		m.t.Errorf("TryWait: not done, after the exit of a command that copies nothing")
	}
}

func (m *model) checkDone(reaped bool) {
	select {
	case <-m.c.Done():
		if done, err := m.c.TryWait(); !done && err != nil {
			m.hopeless.Store(true)
		} else if !done {
			m.t.Errorf("Done is closed, and TryWait says not done")
		}
	default:
		if reaped {
			m.t.Errorf("Done is open after Wait")
		}
	}
}

func (m *model) checkCause(reaped bool) {
	cause := m.c.Cause()
	if !reaped {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.causes++; m.causes > 1 && cause != m.cause {
		m.t.Errorf("Cause: %v, before: %v", cause, m.cause)
	}
	m.cause = cause
}

func (m *model) shutDown(err error, started bool) {
	if m.unstarted("Shutdown", err, started) {
		return
	}
	if err != nil && !errors.Is(err, errModelShutdown) {
		m.t.Errorf("Shutdown: %v", err)
	}
	m.mu.Lock()
	m.shutdowns = append(m.shutdowns, err)
	if err != m.shutdowns[0] {
		m.t.Errorf("Shutdown: %v, another one: %v", err, m.shutdowns[0])
	}
	m.mu.Unlock()
	m.signalled("a signal after Shutdown", m.c.Kill(), true, true)
}

// finish waits for the command, and checks what there is at the end.
func (m *model) finish() {
	m.cancel(errModelContext)
	if n := m.starts.Load(); n != 1 {
		m.t.Errorf("%d Starts have done something", n)
	}
	if m.hopeless.Load() && !m.failed.Load() {
		m.t.Errorf("Done was closed before the start")
	}
	if m.failed.Load() {
		<-m.c.Done()
		if m.c.TreeKind() != xexec.NoTree {
			m.t.Errorf("a failed Start leaves a %v", m.c.TreeKind())
		}
		if m.c.Process != nil || m.c.Pid() != 0 || m.c.Cause() != nil {
			m.t.Errorf("a failed Start leaves %v, %v, %v", m.c.Process, m.c.Pid(), m.c.Cause())
		}
		return
	}
	if m.quiet && !isZombieSoon(m.c.Pid()) {
		m.t.Errorf("the process was reaped, and nobody has waited")
	}
	m.quiet = false
	err := m.c.Wait()
	m.waited("the last Wait", err, true)
	m.checkEnd(err)
}

// checkEnd holds Wait's result against how the command has ended.
func (m *model) checkEnd(err error) {
	var exit *exec.ExitError
	state, cause := m.c.ProcessState, m.c.Cause()
	switch {
	case errors.As(err, &exit):
		if exit.ProcessState != state || state.Success() {
			m.t.Errorf("Wait: %v, ProcessState: %v", err, state)
		}
	case !state.Success():
		m.t.Errorf("Wait: %v, ProcessState: %v", err, state)
	case err != nil && !errors.Is(err, context.Canceled) && err != xexec.ErrWaitDelay && !errors.Is(err, errModelShutdown):
		m.t.Errorf("Wait: %v", err)
	}
	if cause != nil && cause != errModelContext && cause != errModelShutdown {
		m.t.Errorf("Cause: %v", cause)
	}
	if is := errors.Is(err, errModelContext); is != (m.bound.Load() && cause == errModelContext) {
		m.t.Errorf("Wait: %v, Cause: %v, StartContext: %t", err, cause, m.bound.Load())
	}
	if out := m.output(); !strings.HasPrefix(ready, out) || err == nil && out != ready {
		m.t.Errorf("the output is %q, Wait: %v", out, err)
	}
	if m.stdin != nil {
		if _, err := m.stdin.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
			m.t.Errorf("StdinPipe after Wait: %v", err)
		}
	}
	if status := state.Sys().(syscall.WaitStatus); status.Signaled() {
		switch status.Signal() {
		case syscall.SIGKILL, syscall.SIGHUP, m.stop:
		default:
			m.t.Errorf("it was not to get %v", status.Signal())
		}
	}
}
