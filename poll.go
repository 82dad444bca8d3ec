//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package xexec

import "sync"

// exits waits for the exits of any number of processes with one descriptor and
// one goroutine. While nobody waits there is neither.
var exits exitPoller

type exitPoller struct {
	mu  sync.Mutex
	set *exitSet // nil while nobody waits
}

// An exitSet is what the kernel watches, from the first waiter to the last; the
// next one gets a new set. It is guarded by exitPoller.mu, but the queue's wait
// and release, which are the loop's.
//
// There is a waiter in the set if and only if it is the poller's set, and then
// its loop runs: whoever takes the last waiter out closes it under the same lock
// under which the next is registered. So no waiter is left to a loop that ends.
type exitSet struct {
	queue   *exitQueue
	waiters map[uint64]*exitWaiter
}

// An exitWaiter is somebody who waits for one process.
type exitWaiter struct {
	set  *exitSet
	key  uint64        // what events call it
	id   int           // what the kernel calls the process
	done chan struct{} // closed when it was taken out of the set, but not by itself
	seen bool          // because the process has exited; valid when done is closed
}

// await blocks until the process that the kernel calls id has exited, or until
// cancel is closed first. The id must mean that process until await returns.
func (p *exitPoller) await(id int, cancel <-chan struct{}) pollResult {
	w := p.add(id)
	if w == nil {
		return notPolled
	}
	select {
	case <-w.done:
	case <-cancel:
		p.remove(w)
		return cancelled
	}
	if !w.seen {
		return notPolled
	}
	return polled
}

// add registers a process. It returns nil if that is not possible: there is no
// descriptor to be had, a limit is reached, a seccomp filter objects, or somebody
// waits for the same process through another Cmd.
func (p *exitPoller) add(id int) *exitWaiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.set
	if s == nil {
		queue, err := newExitQueue()
		if err != nil {
			return nil
		}
		s = &exitSet{queue: queue, waiters: make(map[uint64]*exitWaiter)}
	}
	w := &exitWaiter{set: s, key: s.queue.key(id), id: id, done: make(chan struct{})}
	if s.waiters[w.key] != nil || s.queue.add(w.key, id) != nil {
		if p.set == nil {
			s.queue.close()
			s.queue.release()
		}
		return nil
	}
	s.waiters[w.key] = w
	if p.set == nil {
		p.set = s
		go p.loop(s)
	}
	return w
}

// remove calls w off.
func (p *exitPoller) remove(w *exitWaiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.set.waiters[w.key] == w {
		p.removeLocked(w)
	}
}

func (p *exitPoller) removeLocked(w *exitWaiter) {
	delete(w.set.waiters, w.key)
	w.set.queue.remove(w.id)
	if len(w.set.waiters) == 0 {
		p.set = nil
		w.set.queue.close()
	}
}

// loop tells the waiters of s, until there is none left.
func (p *exitPoller) loop(s *exitSet) {
	defer s.queue.release()
	for more := true; more; {
		keys, err := s.queue.wait()
		more = p.deliver(s, keys, err)
	}
}

// deliver takes out of s the waiters that have keys, all of them if there was an
// error, and tells them. It reports whether any is left.
func (p *exitPoller) deliver(s *exitSet, keys []uint64, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		for _, w := range s.waiters {
			p.removeLocked(w)
			close(w.done)
		}
	}
	for _, key := range keys {
		if w := s.waiters[key]; w != nil { // not removed in the meantime
			p.removeLocked(w)
			w.seen = true
			close(w.done)
		}
	}
	return p.set == s
}
