package tree

import (
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// onThread calls f, which starts a process and reports whether it has, on a thread
// that does not end before the process does: for Linux, the parent is the thread that
// has forked (golang/go#27505).
func (l *Launch) onThread(f func() bool, canceled [2]<-chan struct{}) error {
	k, err := acquire(canceled)
	if err != nil {
		return err
	}
	started := false
	defer func() { // also after a panic
		k.forked()
		if started {
			l.release = k.reaped
		} else {
			k.reaped()
		}
	}()
	k.call(func() { started = f() })
	return nil
}

// maxKeepers is how many threads may be kept, each for any number of children. More
// are of use only while as many are inside a fork at the same time.
const maxKeepers = 32

// forks has an element for each keeper that is inside a fork.
var forks = make(chan struct{}, maxKeepers)

// keepers are the threads that children have as their parent, each for as long as a
// child of it lives.
var keepers struct {
	mu  sync.Mutex
	all []*keeper
}

// A keeper is a goroutine with a thread of its own.
type keeper struct {
	calls chan func()

	// Guarded by keepers.mu:
	forking  bool
	children int // also the one that is being forked
}

// acquire returns a keeper that is not inside a fork, the oldest, so that the others
// can end. It waits for one unless one of canceled is closed before.
func acquire(canceled [2]<-chan struct{}) (*keeper, error) {
	select {
	case forks <- struct{}{}:
	default:
		select {
		case forks <- struct{}{}:
		case <-canceled[0]:
			return nil, ErrCanceled
		case <-canceled[1]:
			return nil, ErrCanceled
		}
	}
	keepers.mu.Lock()
	defer keepers.mu.Unlock()
	var k *keeper
	if i := slices.IndexFunc(keepers.all, func(k *keeper) bool { return !k.forking }); i >= 0 {
		k = keepers.all[i]
	} else {
		k = &keeper{calls: make(chan func())}
		keepers.all = append(keepers.all, k)
		go k.run()
	}
	k.forking = true
	k.children++
	return k, nil
}

// forked lets others fork on the keeper.
func (k *keeper) forked() {
	keepers.mu.Lock()
	k.forking = false
	keepers.mu.Unlock()
	<-forks
}

// reaped ends the keeper with its last child.
func (k *keeper) reaped() {
	keepers.mu.Lock()
	defer keepers.mu.Unlock()
	if k.children--; k.children == 0 {
		keepers.all = slices.DeleteFunc(keepers.all, func(other *keeper) bool { return other == k })
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

// serve calls the functions, which do not panic. If one ends the goroutine
// (runtime.Goexit), that must not end the thread: the others are served before it does.
func (k *keeper) serve() {
	closed := false
	defer func() {
		if !closed {
			k.serve()
		}
	}()
	for f := range k.calls {
		f()
	}
	closed = true
}

// call calls f on the keeper's thread. A panic in f, and a runtime.Goexit, is that of
// the caller.
func (k *keeper) call(f func()) {
	var (
		done     = make(chan struct{})
		returned bool
		panicked any
	)
	k.calls <- func() {
		defer close(done)
		defer func() { panicked = recover() }()
		f()
		returned = true
	}
	<-done
	switch {
	case returned:
	case panicked != nil:
		panic(panicked)
	default:
		runtime.Goexit()
	}
}
