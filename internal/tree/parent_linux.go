package tree

import (
	"reflect"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// parent is the keeper of a process that dies with its parent. See Launch.
type parent struct {
	mu     sync.Mutex
	keeper *keeper // nil before the start, and once the process is reaped
}

func (l *Launch) dieWithParent() error {
	if l.attr.Pdeathsig == 0 {
		l.attr.Pdeathsig = syscall.SIGKILL
	}
	return nil
}

// onThread calls f, which starts a process and reports whether it has, on a thread
// that does not end before the process does, if that is to die with its parent: for
// Linux, the parent is the thread that has forked (golang/go#27505).
func (l *Launch) onThread(f func() bool, canceled []<-chan struct{}) error {
	if !l.parentExit {
		f()
		return nil
	}
	k, err := keepers.acquire(canceled)
	if err != nil {
		return err
	}
	started := false
	defer func() { // also after a panic
		keepers.forked(k)
		if started {
			l.parent.set(k)
		} else {
			keepers.reaped(k)
		}
	}()
	k.call(func() { started = f() })
	return nil
}

func (p *parent) set(k *keeper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keeper = k
}

func (p *parent) reaped() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keeper != nil {
		keepers.reaped(p.keeper)
		p.keeper = nil
	}
}

// maxKeepers is how many threads may be kept, each for any number of children. More
// are of use only while as many are inside a fork at the same time.
const maxKeepers = 32

// keepers are the threads that children have as their parent.
var keepers = pool{free: make(chan struct{}, maxKeepers)}

// A pool has up to maxKeepers threads, each for as long as a child of it lives.
type pool struct {
	free chan struct{} // has an element for each keeper that is inside a fork

	mu      sync.Mutex
	keepers [maxKeepers]*keeper
}

// A keeper is a goroutine with a thread of its own.
type keeper struct {
	calls chan func()
	slot  int

	// Guarded by pool.mu:
	forking  bool
	children int // also the one that is being forked
}

// acquire returns a keeper that is not inside a fork, the lowest, so that the others
// can end. It waits for one unless one of canceled is closed before.
func (p *pool) acquire(canceled []<-chan struct{}) (*keeper, error) {
	select {
	case p.free <- struct{}{}:
	default:
		cases := []reflect.SelectCase{{Dir: reflect.SelectSend, Chan: reflect.ValueOf(p.free), Send: reflect.ValueOf(struct{}{})}}
		for _, c := range canceled {
			cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)})
		}
		if chosen, _, _ := reflect.Select(cases); chosen != 0 {
			return nil, ErrCanceled
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	empty := -1
	for i, k := range p.keepers {
		switch {
		case k == nil && empty < 0:
			empty = i
		case k != nil && !k.forking:
			k.forking = true
			k.children++
			return k, nil
		}
	}
	k := &keeper{calls: make(chan func()), slot: empty, forking: true, children: 1}
	p.keepers[empty] = k
	go k.run()
	return k, nil
}

// forked gives the keeper free for another fork.
func (p *pool) forked(k *keeper) {
	p.mu.Lock()
	k.forking = false
	p.mu.Unlock()
	<-p.free
}

// reaped ends the keeper with its last child.
func (p *pool) reaped(k *keeper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k.children--; k.children == 0 {
		p.keepers[k.slot] = nil
		close(k.calls)
	}
}

// run calls what call passes on, on one thread, until calls is closed. The thread
// ends with it, save the first one of the process, which cannot.
func (k *keeper) run() {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		defer runtime.UnlockOSThread()
	}
	k.serve()
}

func (k *keeper) serve() {
	for f := range k.calls {
		if returned := k.protect(f); !returned {
			return // the goroutine is ending, and has served the other calls
		}
	}
}

// protect calls f, which does not panic. If it ends the goroutine (runtime.Goexit),
// that must not end the thread: the others are served before it does.
func (k *keeper) protect(f func()) (returned bool) {
	defer func() {
		if !returned {
			k.serve()
		}
	}()
	f()
	return true
}

// call calls f on the keeper's thread. A panic in f, and a runtime.Goexit, is that of
// the caller.
func (k *keeper) call(f func()) {
	var (
		done     = make(chan struct{})
		returned bool
		panicked bool
		value    any
	)
	k.calls <- func() {
		defer close(done)
		defer func() {
			if !returned {
				value = recover()
				panicked = value != nil
			}
		}()
		f()
		returned = true
	}
	<-done
	switch {
	case panicked:
		panic(value)
	case !returned:
		runtime.Goexit()
	}
}
