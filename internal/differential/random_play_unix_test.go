//go:build unix

package differential_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// seeExit waits until a child has exited, and leaves it to be reaped. It is nil
// where that cannot be done.
var seeExit func(pid int)

// play runs the command.
func (f *performance) play() {
	if f.plan.ctx == "before" {
		f.end()
	}
	if f.plan.ctx == "sometime" {
		timer := time.AfterFunc(time.Duration(f.moment)*20*time.Microsecond, f.end)
		defer timer.Stop()
	}
	switch f.attempts {
	case "wait-first":
		f.noteErr("Wait before Start", f.cmd.Wait())
	case "pipes-twice":
		f.pipesAgain()
	case "output-first":
		if f.cmd.Std().Stdout != nil {
			_, err := f.cmd.Output()
			f.noteErr("Output", err)
		}
	case "combined-first":
		if f.cmd.Std().Stdout != nil || f.cmd.Std().Stderr != nil {
			_, err := f.cmd.CombinedOutput()
			f.noteErr("CombinedOutput", err)
		}
	}
	f.note("Environ", sum(fmt.Append(nil, f.cmd.Environ())))
	f.countFrom(time.Now())
	directed := make(chan struct{})
	small := f.in != nil && f.stdinSize <= 4096
	if small {
		f.write() // as much fits into the pipe before anybody reads
	} else if f.in != nil {
		f.readers.Go(f.write)
	}
	if f.method != "start" {
		go f.direct(directed)
	}
	var out []byte
	var err error
	switch f.method {
	case "run":
		err = f.cmd.Run()
	case "output":
		out, err = f.cmd.Output()
	case "combined":
		out, err = f.cmd.CombinedOutput()
	case "start":
		f.playStarted(directed)
		return
	}
	f.closeOurs()
	<-directed
	f.readers.Wait()
	f.noteStream("output", out)
	f.noteWait(err)
	f.noteErr("second Wait", f.cmd.Wait())
}

// playStarted is play with Start and Wait.
func (f *performance) playStarted(directed chan struct{}) {
	err := f.cmd.Start()
	f.noteErr("Start", err)
	f.closeOurs()
	started := err == nil
	if f.attempts == "start-twice" {
		f.noteErr("Start again", f.cmd.Start())
	}
	if f.attempts == "pipes-late" {
		f.pipesAgain()
	}
	if f.next != nil {
		f.noteErr("Start of the next", f.next.Start())
	}
	f.startReading("before", &f.readers)
	f.startReading("during", &f.lateReaders)
	if started {
		go f.direct(directed)
		<-directed
	} else {
		close(directed)
	}
	f.readers.Wait() // to the end
	if started && f.plan.ctx == "exited" {
		seeExit(f.cmd.Std().Process.Pid)
		f.end()
		if f.cancel != "default" && f.cancel != "nil" {
			<-f.cancelCalled
		}
	}
	if f.plan.ctx != "running" {
		f.countFrom(time.Now())
	}
	err = f.cmd.Wait()
	f.noteWait(err)
	f.startReading("after", &f.lateReaders)
	f.lateReaders.Wait()
	if f.next != nil {
		err := f.next.Wait()
		f.noteErr("Wait for the next", err)
		f.noteStream("the next", f.nextOut.Bytes())
	}
	for i, key := range []string{"out read", "err read"} {
		f.note(key, sum(f.read[i])+" "+f.readErr[i])
		f.streams[key] = f.read[i]
	}
	f.noteErr("second Wait", f.cmd.Wait())
	if f.attempts == "output-late" {
		_, err := f.cmd.Output()
		f.noteErr("Output after Wait", err)
	}
	if f.in != nil && started {
		_, err := f.in.Write([]byte("late"))
		f.noteErr("Write after Wait", err)
	}
}

// closeOurs closes what only the child is to have, so that the end of the child
// can be seen.
func (f *performance) closeOurs() {
	f.closed.Do(func() {
		for _, file := range f.ours {
			file.Close()
		}
	})
}

// pipesAgain asks for pipes where that must fail.
func (f *performance) pipesAgain() {
	c := f.cmd.Std()
	if c.Stdin != nil || c.Process != nil {
		_, err := f.cmd.StdinPipe()
		f.noteErr("StdinPipe again", err)
	}
	if c.Stdout != nil || c.Process != nil {
		_, err := f.cmd.StdoutPipe()
		f.noteErr("StdoutPipe again", err)
	}
	if c.Stderr != nil || c.Process != nil {
		_, err := f.cmd.StderrPipe()
		f.noteErr("StderrPipe again", err)
	}
}

func (f *performance) write() {
	_, err := f.in.Write(distinct(f.stdinSize))
	f.wrote = []error{err, f.in.Close()}
}

// startReading begins to read from the pipes that are to be read at this point.
func (f *performance) startReading(when string, readers *sync.WaitGroup) {
	for i, r := range []struct {
		from io.ReadCloser
		when string
	}{{f.out, f.outReading}, {f.err, f.errReading}} {
		if r.from != nil && r.when == when {
			readers.Go(func() { f.read[i], f.readErr[i] = f.readAll(r.from) })
		}
		if r.from != nil && r.when == "partial" && when == "before" {
			readers.Go(func() {
				b := make([]byte, 1)
				n, _ := io.ReadFull(r.from, b)
				f.read[i], f.readErr[i] = b[:n], "then "+testkit.Describe(r.from.Close())
			})
		}
	}
}

// readAll reads to the end. Where os/exec says that its Wait has closed the file
// depends on whether the read had begun.
func (f *performance) readAll(r io.Reader) (b []byte, end string) {
	b, err := io.ReadAll(r)
	if f.pkg.Name == xtest.Std.Name && f.cmd.Std().Process != nil && errors.Is(err, os.ErrClosed) {
		err = os.ErrClosed
	}
	return b, testkit.Describe(err)
}

// direct does what has to happen while the command runs.
func (f *performance) direct(done chan<- struct{}) {
	defer close(done)
	if f.stuck != nil && f.pkg.Name == xtest.Std.Name {
		// Deviation 6: without that, os/exec's Wait would not return.
		time.AfterFunc(3*f.delay, f.releaseStuck)
	}
	if !f.needsFiles() {
		return
	}
	if f.deadline && f.plan.ctx == "running" && f.method != "start" {
		// What has not become ready by then may be dead, and nobody says so.
		context.AfterFunc(f.ctx, func() {
			time.AfterFunc(f.delay, func() { f.ready.SetReadDeadline(time.Now()) })
		})
	}
	n, err := f.ready.Read(make([]byte, 1)) // else it has died, or was not started
	if n == 1 {
		f.directReady()
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		f.openGate()
	}
	if f.method == "start" {
		f.ready.Read(make([]byte, 1)) // the end: the child is gone
		f.openGate()
	}
	if f.held == "early" {
		f.letHeldGo()
	}
}

func (f *performance) releaseStuck() {
	f.unstuck.Do(func() {
		f.note("the Stdin reader", "returned before Wait")
		f.stuck.release()
	})
}

// directReady goes on when the child is ready.
func (f *performance) directReady() {
	if f.out != nil && f.outReading == "early" {
		f.noteErr("Close", f.out.Close())
	}
	if f.err != nil && f.errReading == "early" {
		f.noteErr("Close", f.err.Close())
	}
	if f.plan.ctx == "running" {
		if f.deadline {
			<-f.ctx.Done()
		} else {
			f.countFrom(time.Now())
			f.end()
		}
		switch f.cancel {
		case "default", "wrapped", "term", "finish", "finish-fails", "finish-done":
			return // that ends it, and the gate stays closed
		case "nil":
		default:
			<-f.cancelCalled
		}
		if f.plan.delay == "short" {
			return // so does that
		}
	}
	if f.signal != 0 {
		f.noteErr("Signal", f.cmd.Std().Process.Signal(f.signal))
		return
	}
	f.openGate()
}

// countFrom says when WaitDelay begins, or that it is not before then.
func (f *performance) countFrom(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since = t
}

// noteWait notes what Wait, or what calls it, has just returned.
func (f *performance) noteWait(err error) {
	now := time.Now()
	f.noteErr("Wait", err)
	f.mu.Lock()
	defer f.mu.Unlock()
	if errors.Is(err, exec.ErrWaitDelay) {
		f.r.note("WaitDelay was over", now.Sub(f.since) >= f.cmd.Std().WaitDelay)
	}
	if exit, ok := err.(*exec.ExitError); ok {
		f.streams[stderrOfExit] = exit.Stderr
	}
	f.r.state(f.cmd)
}

// aftermath looks at what the command leaves behind.
func (f *performance) aftermath() {
	if f.stuck != nil {
		f.unstuck.Do(func() {
			f.note("the Stdin reader", "returned after Wait")
			f.stuck.release()
		})
	}
	if f.release != nil {
		f.letHeldGo()
		f.openGate()
	}
	f.noteStream("stdout", f.stdout())
	f.noteStream("stderr", f.stderr())
	f.note("calls of Cancel", f.cancelCalls)
	if f.plan.ctx == "after" {
		f.end()
		f.noteErr("Wait after the context's end", f.cmd.Wait())
	}
	f.end()
	c := f.cmd.Std()
	f.note("Path", c.Path == "")
	f.noteErr("Err", c.Err)
	f.note("String", f.cmd.String())
	f.note("Args", fmt.Sprintf("%q", c.Args))
	f.note("Dir", c.Dir)
	f.note("Env", fmt.Sprintf("%t %q", c.Env == nil, c.Env))
	f.note("Environ afterwards", sum(fmt.Append(nil, f.cmd.Environ())))
	f.note("SysProcAttr", fmt.Sprintf("%+v", c.SysProcAttr))
	f.note("are nil", fmt.Sprintf("Stdin %t Stdout %t Stderr %t Cancel %t",
		c.Stdin == nil, c.Stdout == nil, c.Stderr == nil, c.Cancel == nil))
	f.note("started", c.Process != nil)
	if c.Process != nil {
		for _, err := range f.wrote {
			f.noteErr("Write and Close", err)
		}
		f.noteErr("Kill", c.Process.Kill())
	}
}
