//go:build unix

package xexec_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/xexec"
)

// The public methods as a state machine: a command is not started, running,
// exited or reaped, each with and without somebody who waits. Several goroutines
// call random methods of one command, and each call is held against what was
// known before it: facts, which once true stay true.
type model struct {
	t      testing.TB
	c      *xexec.Cmd
	cancel context.CancelCauseFunc
	exit   func() // lets the child exit
	quiet  bool   // nobody waits
	plain  bool   // nothing is copied, and Start is ours: the exit is the end

	failed   atomic.Bool // Start has found the context ended
	started  atomic.Bool // Start has succeeded
	hopeless atomic.Bool // Done was closed, and there was no process
	gone     atomic.Bool // the process was seen to have exited
	reaped   atomic.Bool // the command is complete

	starts    atomic.Int32
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

func TestRandomInterleavingsKeepTheInvariants(t *testing.T) {
	t.Parallel()
	runs := 240
	if testing.Short() || raceEnabled {
		runs = 60
	}
	runs, seed := fromEnv(t, randomEnv, runs), fromEnv(t, seedEnv, int(time.Now().UnixNano()%1e9))
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
	stop := time.AfterFunc(stuck, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("model %d of seed %d hangs: %v", i, seed, m.trace))
	})
	defer stop.Stop()
	var all sync.WaitGroup
	for range 2 + rnd.IntN(3) {
		own := rand.New(rand.NewPCG(rnd.Uint64(), i))
		all.Go(func() {
			for range 2 + own.IntN(10) {
				m.step(own)
			}
		})
	}
	moment := time.Duration(rnd.IntN(4000)) * time.Microsecond
	all.Go(func() { // or all might wait for ever
		time.Sleep(moment)
		m.start()
		m.exit()
	})
	all.Wait()
	m.finish()
	if t.Failed() {
		t.Logf("model %d of seed %d: %v", i, seed, m.trace)
	}
}

// newModel makes a command, of one of the kinds that there are.
func newModel(t testing.TB, rnd *rand.Rand) *model {
	m := &model{t: t, quiet: rnd.IntN(4) == 0, plain: true}
	ctx, cancel := context.WithCancelCause(context.Background())
	m.cancel = cancel
	exe, argv := needHelper(t, "serve", fmt.Sprint(rnd.IntN(3)))
	if rnd.IntN(2) == 0 {
		m.c = xexec.CommandContext(ctx, exe, argv...)
	} else {
		m.c = xexec.Command(exe, argv...)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	m.c.Stdin = r
	m.exit = func() { w.Close() }
	switch rnd.IntN(3) {
	case 1:
		m.c.Stdout, m.plain = new(bytes.Buffer), false
	case 2:
		out, err := m.c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if rnd.IntN(2) == 0 {
			go io.Copy(io.Discard, out)
		}
	}
	if rnd.IntN(4) == 0 {
		m.c.WaitDelay = time.Duration(rnd.IntN(2000)) * time.Microsecond
	}
	if rnd.IntN(5) == 0 { // somebody else starts it, before anybody else is there
		m.plain = false
		if err := m.c.Std().Start(); err != nil {
			t.Fatal(err)
		}
		m.starts.Add(1)
		m.started.Store(true)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return m
}

func (m *model) note(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trace = append(m.trace, what)
}

func (m *model) start() {
	before := m.started.Load()
	err := m.c.Start()
	switch {
	case err == nil:
		if before || m.starts.Add(1) > 1 {
			m.t.Errorf("a second Start succeeds")
		}
		m.started.Store(true)
	case err == context.Canceled && m.starts.Add(1) == 1:
		m.failed.Store(true)
	case err.Error() != "exec: already started":
		m.t.Errorf("Start: %v", err)
	}
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

// step calls one method.
func (m *model) step(rnd *rand.Rand) {
	calls := []string{"start", "kill", "null", "signal", "terminate", "cause", "pid", "clone", "cancel", "exit", "look", "cont"}
	if !m.quiet {
		calls = append(calls, "wait", "try", "try", "done", "ended", "timeout", "shutdown", "shutdown-now", "done-wait")
	}
	call := calls[rnd.IntN(len(calls))]
	m.note(call)
	started, gone, reaped := m.started.Load(), m.gone.Load(), m.reaped.Load()
	switch call {
	case "start":
		m.start()
	case "kill":
		m.signalled(call, m.c.Kill(), started, gone)
	case "null":
		m.signalled(call, m.c.Signal(syscall.Signal(0)), started, gone)
	case "cont":
		m.signalled(call, m.c.Signal(syscall.SIGCONT), started, gone)
	case "signal":
		m.signalled(call, m.c.Signal(syscall.SIGINT), started, gone)
	case "terminate":
		m.signalled(call, m.c.Terminate(), started, gone)
	case "cause":
		m.checkCause(reaped)
	case "pid":
		if pid := m.c.Pid(); (pid > 0) != started && started {
			m.t.Errorf("Pid: %d", pid)
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
	case "look":
		if started { // it reads fields, and a Start that fails writes Err
			_ = m.c.String()
		}
	case "wait":
		m.waited(call, m.c.Wait(), started)
	case "try":
		m.tried(started, gone, reaped)
	case "ended", "timeout":
		ctx := ended
		if call == "timeout" {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(context.Background(), time.Duration(rnd.IntN(1000))*time.Microsecond, errCause)
			defer cancel()
		}
		if err := m.c.WaitContext(ctx); err != errCause {
			m.waited(call, err, started)
		} else if reaped {
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
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errModelShutdown)
		m.shutDown(m.c.Shutdown(ctx), started)
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

	if m.c.ProcessState == nil {
		m.t.Errorf("no ProcessState after %s", what)
	}
	if state := processState(m.c.Pid()); state == "Z" && isOurs(m.c.Pid()) {
		m.t.Errorf("a zombie after %s", what)
	}
	if done, again := m.c.TryWait(); !done || again != err {
		m.t.Errorf("TryWait after %s: %v, %v", what, done, again)
	}
	if again := m.c.WaitContext(ended); again != err {
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
	if err != nil && err != errModelShutdown {
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
	var exit *exec.ExitError
	switch state := m.c.ProcessState; {
	case errors.As(err, &exit):
		if exit.ProcessState != state || state.Success() {
			m.t.Errorf("Wait: %v, ProcessState: %v", err, state)
		}
	case err == nil:
		if !state.Success() {
			m.t.Errorf("Wait: nil, ProcessState: %v", state)
		}
	case err != context.Canceled && err != xexec.ErrWaitDelay:
		m.t.Errorf("Wait: %v", err)
	}
	if cause := m.c.Cause(); cause != nil && cause != errModelContext && cause != errModelShutdown {
		m.t.Errorf("Cause: %v", cause)
	}
}
