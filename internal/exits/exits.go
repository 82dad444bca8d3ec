// Package exits sees that a process has exited, without reaping it.
//
// It promises that looking and waiting change nothing about the process: the
// status stays for os.Process.Wait, and until somebody takes it the process id is
// not another's. Any number of goroutines may look at and wait for one process.
// A wait that is called off leaves nothing behind, and once nobody waits the package has
// neither a goroutine nor a descriptor (on Windows, one event). The exception is a wait that can
// only block a thread: called off, it leaves a goroutine until the process exits, one
// for each Process.
//
// The caller guarantees that nobody of its own has reaped the process when it
// calls Exited, and that nobody of its own reaps it while a Wait runs. A stranger
// may do so, with wait4(-1) say: the process has then exited. Reap blocks, as the
// exit may be seen a moment before the status is there.
//
// Linux: waitid(2) with WNOWAIT, by the pidfd that os.Process owns. At most
// maxThreads waits block a thread each, which is the quickest way. All others
// share an epoll(7) set that hangs in the runtime's poller. Where the kernel
// refuses epoll or pidfds, each wait blocks a thread. So does one for a process that
// has exited and that another process still traces. Without a pidfd, the process id is
// used.
//
// macOS and the BSDs: kqueue(2) with NOTE_EXIT, by process id. All waits share one
// kqueue and the thread that blocks in it. A look has a kqueue of its own.
//
// Windows: a process handle of our own, as os.Process.Wait closes the other. At most
// maxThreads waits block a thread each. All others share the system's thread pool
// (RegisterWaitForSingleObject), a thread of which waits for many handles. It tells of
// nothing before the program's init functions are over: until then each wait blocks a
// thread.
//
// Elsewhere nothing can be seen, and every error is errors.ErrUnsupported.
package exits

import (
	"os"
	"sync"
	"sync/atomic"
)

// A Process is a process and the id that it had: os.Process.Release overwrites
// its Pid. It is shared by pointer.
type Process struct {
	OS       *os.Process
	own      *os.Process // OS, or another with a handle of its own
	pid      int
	observer observer
}

// Of returns a Process for p, which has not been released.
func Of(p *os.Process) *Process { return &Process{OS: p, own: own(p), pid: p.Pid} }

// Pid returns the process id that p has, or had.
func (p *Process) Pid() int { return p.pid }

// Exited reports whether p has exited, without reaping it. It never blocks.
//
// An error says that this cannot be seen: the system has no means for it
// (errors.ErrUnsupported), p was released, or p runs and is no child of ours
// (ECHILD, on Linux only).
//
// A process that its tracer has stopped has not exited. One that has exited and
// that another process traces has not either, until its tracer lets it go: it
// cannot be reaped before.
func (p *Process) Exited() (bool, error) { return p.exited() }

// Wait blocks until p has exited and returns true. It returns false if cancel is
// closed first, and an error as Exited does.
//
// A nil cancel lets it block the caller's thread. If it does (not too many are), it also
// returns true for a process that has stopped for us, its tracer: os.Process.Wait returns
// for that as well.
func (p *Process) Wait(cancel <-chan struct{}) (bool, error) {
	if cancel == nil && takeThread() {
		defer giveThread()
		return p.block()
	}
	if exited, err := p.exited(); exited || err != nil {
		return exited, err
	}
	told, calledOff := false, false
	watch(p.own, func(exited, failed <-chan struct{}) {
		select {
		case <-exited:
			told = true
		case <-failed:
		case <-cancel:
			calledOff = true
		}
	})
	if told {
		// It is not so yet if another process traces p. An error says that p was
		// released meanwhile.
		if exited, err := p.exited(); exited || err != nil {
			return true, nil
		}
	}
	switch {
	case calledOff:
		return false, nil
	case cancel == nil:
		return p.block()
	}
	return p.observer.wait(p, cancel)
}

// Reap waits for p and takes its status, as os.Process.Wait does. Where that was
// done before, and p is named by its id only, os.Process.Wait would take the status
// of whoever has the id now: Reap then says that there is no such child.
func (p *Process) Reap() (*os.ProcessState, error) { return p.reap() }

// Here calls f, on a thread that f may block, with the handle of p that os.Process
// has: on Linux a pidfd, which can be read once p has exited. It calls f with -1 if
// there is none, or if enough threads block.
func (p *Process) Here(f func(handle int)) {
	if takeThread() {
		defer giveThread()
		if p.OS.WithHandle(func(handle uintptr) { f(int(handle)) }) == nil {
			return
		}
	}
	f(-1)
}

// Watch calls f with a channel that is closed when p has exited, reaped or not. p need
// not be a child of ours. An error says that p cannot be watched, and f was not called.
func Watch(p *os.Process, f func(exited <-chan struct{})) error {
	err := watch(p, func(exited, _ <-chan struct{}) { f(exited) })
	if err == os.ErrProcessDone {
		gone := make(chan struct{})
		close(gone)
		f(gone)
		return nil
	}
	return err
}

// threads counts the waits, and calls of Here, that block a thread although they could
// be polled. There are never more than maxThreads.
var threads atomic.Int32

func takeThread() bool {
	if threads.Add(1) <= maxThreads {
		return true
	}
	giveThread()
	return false
}

func giveThread() { threads.Add(-1) }

// An observer is a goroutine that blocks until the exit in the place of waits
// that may be called off, where these cannot be polled. It cannot be called off
// itself. All waits of a Process share it.
type observer struct {
	once   sync.Once
	over   chan struct{} // closed when what is below is set
	exited bool
	err    error
}

func (o *observer) wait(p *Process, cancel <-chan struct{}) (bool, error) {
	o.once.Do(func() {
		o.over = make(chan struct{})
		go func() {
			defer close(o.over)
			o.exited, o.err = p.block()
		}()
	})
	select {
	case <-o.over:
		return o.exited, o.err
	case <-cancel:
		return false, nil
	}
}
