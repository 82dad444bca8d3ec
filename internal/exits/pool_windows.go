package exits

import (
	"math"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A poolWait is a wait of the system's thread pool for one handle. See "Thread Pool
// API" in Microsoft's documentation. A thread of the pool waits for many of them, and
// calls poolCallback when a handle is signalled.
type poolWait struct {
	id     uintptr
	object uintptr       // PTP_WAIT
	exited chan struct{} // closed when the process has exited
}

// poolWaits are the waits that were not stopped and have not ended. The pool knows
// them by their ids: a callback that comes late finds nothing.
//
// As long as there is one, there is a timer, too: the runtime does not know of the
// pool, and would take a program that has nothing else to do for one that is
// deadlocked.
var poolWaits struct {
	mu     sync.Mutex
	lastID uintptr
	byID   map[uintptr]*poolWait
	alive  *time.Timer
}

// poolCalls is held in calls to the pool, which take locks of their own. It keeps a
// thousand goroutines that do so at once from taking a thread each.
var poolCalls sync.Mutex

var (
	kernel32                       = windows.NewLazySystemDLL("kernel32.dll")
	procCreateThreadpool           = kernel32.NewProc("CreateThreadpool")
	procSetThreadpoolThreadMaximum = kernel32.NewProc("SetThreadpoolThreadMaximum")
	procCreateThreadpoolWait       = kernel32.NewProc("CreateThreadpoolWait")
	procSetThreadpoolWait          = kernel32.NewProc("SetThreadpoolWait")
	procCloseThreadpoolWait        = kernel32.NewProc("CloseThreadpoolWait")
)

// poolCallback is made once: the runtime frees no callback.
var poolCallback = sync.OnceValue(func() uintptr {
	return windows.NewCallback(func(instance, id, object, result uintptr) uintptr {
		nowReady()
		if w := takePoolWait(id); w != nil {
			close(w.exited)
		}
		return 0
	})
})

// poolReady is closed once the pool calls back. That is not before the program's init
// functions are over: the runtime keeps a thread waiting that is not its own.
var (
	poolReady = make(chan struct{})
	nowReady  = sync.OnceFunc(func() { close(poolReady) })
)

// A poolEnvironment says which pool a wait is for: TP_CALLBACK_ENVIRON_V3.
type poolEnvironment struct {
	version                                    uint32
	pool                                       uintptr
	group, canceled, dll, activation, finalize uintptr
	flags                                      uint32
	priority                                   uint32
	size                                       uint32
}

// pool returns the environment of a pool of our own, which is made once and has few
// threads: a callback takes no time, and the pool that all share would start a thread
// for each of a thousand processes that exit at once. Without one, that has to do.
var pool = sync.OnceValue(func() *poolEnvironment {
	p, _, _ := procCreateThreadpool.Call(0)
	if p == 0 {
		return nil
	}
	const most, normal = 2, 1 // TP_CALLBACK_PRIORITY_NORMAL
	procSetThreadpoolThreadMaximum.Call(p, most)
	e := &poolEnvironment{version: 3, pool: p, priority: normal}
	e.size = uint32(unsafe.Sizeof(*e))
	// It calls back at once, for no wait of ours, as soon as it can.
	if set, err := windows.CreateEvent(nil, 1, 1, nil); err == nil {
		object, _, _ := procCreateThreadpoolWait.Call(poolCallback(), 0, uintptr(unsafe.Pointer(e)))
		if object != 0 {
			procSetThreadpoolWait.Call(object, uintptr(set), 0)
		}
	}
	return e
})

// newPoolWait waits for handle, which must stay open until stop.
func newPoolWait(handle uintptr) (*poolWait, error) {
	w := &poolWait{exited: make(chan struct{})}
	w.add()
	poolCalls.Lock()
	defer poolCalls.Unlock()
	var err error
	w.object, _, err = procCreateThreadpoolWait.Call(poolCallback(), w.id, uintptr(unsafe.Pointer(pool())))
	if w.object == 0 {
		takePoolWait(w.id)
		return nil, os.NewSyscallError("CreateThreadpoolWait", err)
	}
	procSetThreadpoolWait.Call(w.object, handle, 0)
	return w, nil
}

func (w *poolWait) add() {
	p := &poolWaits
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.byID) == 0 {
		p.byID = make(map[uintptr]*poolWait)
		p.alive = time.AfterFunc(math.MaxInt64, func() {})
	}
	for w.id == 0 || p.byID[w.id] != nil {
		p.lastID++
		w.id = p.lastID
	}
	p.byID[w.id] = w
}

// takePoolWait takes a wait out, whose end is known now. It returns nil if that was
// done before.
func takePoolWait(id uintptr) *poolWait {
	p := &poolWaits
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.byID[id]
	delete(p.byID, id)
	if w != nil && len(p.byID) == 0 {
		p.alive.Stop()
	}
	return w
}

// stop ends the wait. It does not wait for a callback that runs at this moment: the
// system frees the object when that is over.
func (w *poolWait) stop() {
	takePoolWait(w.id)
	poolCalls.Lock()
	defer poolCalls.Unlock()
	procSetThreadpoolWait.Call(w.object, 0, 0)
	procCloseThreadpoolWait.Call(w.object)
}
