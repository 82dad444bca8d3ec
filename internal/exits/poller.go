//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package exits

import "sync"

// shared waits for the exits of any number of processes with one descriptor and
// one goroutine. While nobody waits there is neither.
var shared poller

// A poller has processes if and only if it has a queue, and then the queue's loop
// runs: whoever takes the last process out closes the queue, under the lock under
// which the next is added. So no waiter is left to a loop that ends.
//
// mu guards all, but for the queue's wait and release, which are the loop's.
type poller struct {
	mu        sync.Mutex
	queue     *queue // what the kernel watches, from the first waiter to the last; or nil
	processes map[int]*watched
}

// A watched is a process in the queue, for all who wait for it.
type watched struct {
	id      int // what the kernel calls the process
	waiters int
	exited  chan struct{} // closed when it has exited
	failed  chan struct{} // closed when the queue cannot tell
}

// watch calls f while a process is in the queue. The id must mean that process until
// then.
func (p *poller) watch(id int, f func(exited, failed <-chan struct{})) error {
	w, err := p.add(id)
	if err != nil {
		return err
	}
	defer p.leave(w)
	f(w.exited, w.failed)
	return nil
}

// add registers a process for one waiter more, who must leave.
func (p *poller) add(id int) (*watched, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.queue == nil {
		q, err := newQueue()
		if err != nil {
			return nil, err
		}
		p.queue, p.processes = q, make(map[int]*watched)
		go p.loop(q)
	}
	w := p.processes[id]
	if w == nil {
		if err := p.queue.add(id); err != nil {
			p.closeIfEmpty()
			return nil, err
		}
		w = &watched{id: id, exited: make(chan struct{}), failed: make(chan struct{})}
		p.processes[id] = w
	}
	w.waiters++
	return w, nil
}

// leave takes one waiter for w away.
func (p *poller) leave(w *watched) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.waiters--; w.waiters == 0 && p.processes[w.id] == w {
		p.takeOut(w)
	}
}

// takeOut takes w out of the queue, where it is. The caller holds p.mu.
func (p *poller) takeOut(w *watched) {
	delete(p.processes, w.id)
	p.queue.remove(w.id)
	p.closeIfEmpty()
}

func (p *poller) closeIfEmpty() {
	if len(p.processes) == 0 {
		p.queue.close()
		p.queue = nil
	}
}

// loop tells the waiters of q, until there is none left.
func (p *poller) loop(q *queue) {
	defer q.release()
	for more := true; more; {
		more = p.deliver(q, q.wait())
	}
}

// deliver takes the processes that have exited out of q, all if there was an error,
// and tells their waiters. It reports whether any is left.
func (p *poller) deliver(q *queue, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.queue != q {
		return false
	}
	var ids []int
	if err == nil {
		ids, err = q.fetch()
	}
	for _, id := range ids {
		if w := p.processes[id]; w != nil {
			p.takeOut(w)
			close(w.exited)
		}
	}
	if err != nil {
		for _, w := range p.processes {
			p.takeOut(w)
			close(w.failed)
		}
	}
	return p.queue == q
}
