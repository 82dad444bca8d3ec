package xexec

const (
	MaxThreads = maxThreads
	MaxEvents  = maxEvents
)

// Polled returns how many waits the poller has, and whether it has anything at
// all that costs something.
func Polled() (waiters int, open bool) {
	exits.mu.Lock()
	defer exits.mu.Unlock()
	if exits.set == nil {
		return 0, false
	}
	return len(exits.set.waiters), true
}

// Blocked returns how many waits block a thread.
func Blocked() int { return int(threads.Load()) }

type Capture = capture

func (c *capture) Take() []byte { return c.take() }
