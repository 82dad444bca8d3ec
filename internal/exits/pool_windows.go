package exits

import (
	"errors"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A poolWait is a wait of the system's thread pool for one handle. See
// RegisterWaitForSingleObject in Microsoft's documentation. A thread of the pool waits
// for many of them, and calls poolCallback when a handle is signalled.
type poolWait struct {
	id     uintptr
	object uintptr       // what UnregisterWait takes
	exited chan struct{} // closed when the process has exited

	// alive is set: the runtime does not know of the pool, and would take a program
	// that has nothing else to do for one that is deadlocked.
	alive *time.Timer
}

// poolWaits are the waits that were not stopped and have not ended, by their ids. The
// pool knows them by these: a callback that comes late finds nothing.
var (
	poolWaits  sync.Map
	lastPoolID atomic.Uintptr
)

// poolCalls is held in calls to the pool, which take locks of their own. It keeps a
// thousand goroutines that do so at once from taking a thread each.
var poolCalls sync.Mutex

var (
	kernel32                        = windows.NewLazySystemDLL("kernel32.dll")
	procRegisterWaitForSingleObject = kernel32.NewProc("RegisterWaitForSingleObject")
	procUnregisterWait              = kernel32.NewProc("UnregisterWait")
)

// poolCallback is made once: the runtime frees no callback.
var poolCallback = sync.OnceValue(func() uintptr {
	return windows.NewCallback(func(id, timedOut uintptr) uintptr {
		if w, waits := poolWaits.LoadAndDelete(id); waits {
			w := w.(*poolWait)
			w.alive.Stop()
			close(w.exited)
		}
		return 0
	})
})

// poolReady returns a channel that is closed once the pool calls back. That is not
// before the program's init functions are over: the runtime keeps a thread waiting that
// is not its own.
var poolReady = sync.OnceValue(func() <-chan struct{} {
	set, _ := windows.CreateEvent(nil, 1, 1, nil) // if there is none, the next call fails
	w, err := newPoolWait(uintptr(set))
	if err != nil {
		return nil
	}
	return w.exited
})

// watchHandle calls f while the pool waits for handle.
func watchHandle(handle uintptr, f func(exited, failed <-chan struct{})) error {
	select {
	case <-poolReady():
	case <-time.After(100 * time.Millisecond):
		return errors.New("the thread pool does not call back")
	}
	w, err := newPoolWait(handle)
	if err != nil {
		return err
	}
	defer w.stop()
	f(w.exited, nil)
	return nil
}

// newPoolWait waits for handle, which must stay open until stop.
func newPoolWait(handle uintptr) (*poolWait, error) {
	w := &poolWait{exited: make(chan struct{}), alive: time.AfterFunc(math.MaxInt64, func() {})}
	for taken := true; taken; {
		w.id = lastPoolID.Add(1)
		_, taken = poolWaits.LoadOrStore(w.id, w)
	}
	// The callback takes no time, so the thread that waits may run it.
	const inWaitThread, onlyOnce = 0x4, 0x8
	poolCalls.Lock()
	defer poolCalls.Unlock()
	ok, _, err := procRegisterWaitForSingleObject.Call(uintptr(unsafe.Pointer(&w.object)), handle,
		poolCallback(), w.id, windows.INFINITE, inWaitThread|onlyOnce)
	if ok == 0 {
		w.forget()
		return nil, os.NewSyscallError("RegisterWaitForSingleObject", err)
	}
	return w, nil
}

func (w *poolWait) forget() {
	poolWaits.Delete(w.id)
	w.alive.Stop()
}

// stop ends the wait. It does not wait for a callback that runs at this moment: the
// system frees the object when that is over.
func (w *poolWait) stop() {
	w.forget()
	poolCalls.Lock()
	defer poolCalls.Unlock()
	procUnregisterWait.Call(w.object)
}
