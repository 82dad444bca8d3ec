//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package exits

import "sync"

// shared waits for the exits of any number of processes with one descriptor and
// one goroutine. While nobody waits there is neither.
var shared poller

type poller struct {
	mu  sync.Mutex
	set *set // nil while nobody waits
}

// A set is what the kernel watches, from the first waiter to the last; the next
// one gets a new set. poller.mu guards it, but for the queue's wait and release,
// which are the loop's.
//
// A set has a process in it if and only if it is the poller's, and then its loop
// runs: whoever takes the last process out closes it, under the lock under which
// the next is added. So no waiter is left to a loop that ends.
type set struct {
	queue     *queue
	processes map[int]*watched
	lastTurn  uint32
}

// A watched is a process in a set, for all who wait for it.
type watched struct {
	set     *set
	id      int           // what the kernel calls the process
	turn    uint32        // no other process in the set with this id had it
	waiters int           // guarded by poller.mu
	exited  chan struct{} // closed when it has exited
	failed  chan struct{} // closed when the set cannot tell
}

// An event says that a process has exited.
type event struct {
	id   int
	turn uint32 // 0 if the queue does not know it
}

// add registers a process for one waiter more, who must leave. The id must mean
// that process until then.
func (p *poller) add(id int) (*watched, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.set
	if s == nil {
		q, err := newQueue()
		if err != nil {
			return nil, err
		}
		s = &set{queue: q, processes: make(map[int]*watched)}
	}
	w := s.processes[id]
	if w == nil {
		s.lastTurn++
		w = &watched{set: s, id: id, turn: s.lastTurn, exited: make(chan struct{}), failed: make(chan struct{})}
		if err := s.queue.add(event{id, w.turn}); err != nil {
			if p.set == nil {
				s.queue.close()
				s.queue.release()
			}
			return nil, err
		}
		s.processes[id] = w
		if p.set == nil {
			p.set = s
			go p.loop(s)
		}
	}
	w.waiters++
	return w, nil
}

// leave takes one waiter for w away.
func (p *poller) leave(w *watched) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.waiters--; w.waiters == 0 && w.set.processes[w.id] == w {
		p.takeOut(w)
	}
}

// takeOut takes w out of its set, where it is. The caller holds p.mu.
func (p *poller) takeOut(w *watched) {
	s := w.set
	delete(s.processes, w.id)
	s.queue.remove(w.id)
	if len(s.processes) == 0 {
		p.set = nil
		s.queue.close()
	}
}

// wait blocks until w has exited or cancel is closed.
func (w *watched) wait(cancel <-chan struct{}) outcome {
	select {
	case <-w.exited:
		return sawExit
	case <-w.failed:
		return notPolled
	case <-cancel:
		return calledOff
	}
}

// loop tells the waiters of s, until there is none left.
func (p *poller) loop(s *set) {
	defer s.queue.release()
	for more := true; more; {
		events, err := s.queue.wait()
		more = p.deliver(s, events, err)
	}
}

// deliver takes the processes that have exited out of s, all if there was an
// error, and tells their waiters. It reports whether any is left.
func (p *poller) deliver(s *set, events []event, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		for _, w := range s.processes {
			p.takeOut(w)
			close(w.failed)
		}
	}
	for _, e := range events {
		// It may have been taken out since the event was fetched.
		if w := s.processes[e.id]; w != nil && (e.turn == w.turn || e.turn == 0) {
			p.takeOut(w)
			close(w.exited)
		}
	}
	return p.set == s
}
