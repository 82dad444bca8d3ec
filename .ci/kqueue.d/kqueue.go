// A kqueue(2) for Linux, which .ci/kqueue adds to a copy of golang.org/x/sys/unix:
// what the package's BSD files use of that package, over pidfds and epoll. It
// shows what those files do, not what a BSD kernel does.
//
// The script adds a constant: emulated is "darwin" or "freebsd".

package unix

import (
	"bytes"
	"encoding/binary"
	"os"
	"strconv"
	"sync"
	"time"
	"unsafe"
)

const (
	EVFILT_READ = -1
	EVFILT_PROC = -5

	EV_ADD     = 0x1
	EV_DELETE  = 0x2
	EV_ONESHOT = 0x10
	EV_CLEAR   = 0x20
	EV_EOF     = 0x8000
	EV_ERROR   = 0x4000

	NOTE_EXIT = 0x80000000
)

type Kevent_t struct {
	Ident  uint64
	Filter int16
	Flags  uint16
	Fflags uint32
	Data   int64
	Udata  *byte
}

func SetKevent(k *Kevent_t, ident, filter, flags int) {
	*k = Kevent_t{Ident: uint64(ident), Filter: int16(filter), Flags: uint16(flags)}
}

// A kqueue is an epoll set, whose events carry the number of a note.
type kqueue struct {
	last  int32
	notes map[int32]note
}

// A note is a thing that a kqueue looks at. There is one for an ident and a filter.
type note struct {
	event Kevent_t
	fd    int // to poll: a pidfd, or the ident
}

var kqueues = struct {
	sync.Mutex
	m map[int]*kqueue // by descriptor
}{m: make(map[int]*kqueue)}

func Kqueue() (int, error) {
	fd, err := EpollCreate1(EPOLL_CLOEXEC)
	if err != nil {
		return -1, err
	}
	kqueues.Lock()
	defer kqueues.Unlock()
	if old := kqueues.m[fd]; old != nil {
		old.clear() // somebody else's close has closed it
	}
	kqueues.m[fd] = &kqueue{notes: make(map[int32]note)}
	return fd, nil
}

// Close is the copy's own close, with the end of a kqueue.
func Close(fd int) error {
	kqueues.Lock()
	defer kqueues.Unlock()
	if q := kqueues.m[fd]; q != nil {
		q.clear()
		delete(kqueues.m, fd)
	}
	return closeOnLinux(fd)
}

func (q *kqueue) clear() {
	for _, n := range q.notes {
		n.release()
	}
	clear(q.notes)
}

func (n note) release() {
	if n.event.Filter == EVFILT_PROC {
		closeOnLinux(n.fd)
	}
}

func (q *kqueue) drop(epoll int, number int32) {
	n := q.notes[number]
	EpollCtl(epoll, EPOLL_CTL_DEL, n.fd, nil)
	n.release()
	delete(q.notes, number)
}

// change does what one entry of the list of changes says.
func (q *kqueue) change(epoll int, c Kevent_t) error {
	for number, n := range q.notes {
		if n.event.Ident != c.Ident || n.event.Filter != c.Filter {
			continue
		}
		if c.Flags&EV_DELETE != 0 {
			q.drop(epoll, number)
		} else {
			n.event = c
			q.notes[number] = n
		}
		return nil
	}
	if c.Flags&EV_DELETE != 0 {
		return ENOENT
	}
	n := note{event: c, fd: int(c.Ident)}
	switch c.Filter {
	case EVFILT_READ:
	case EVFILT_PROC:
		if c.Fflags != NOTE_EXIT {
			return EINVAL
		}
		pidfd, err := PidfdOpen(int(c.Ident), 0)
		if err != nil {
			return err
		}
		n.fd = pidfd
		exited, _ := Poll([]PollFd{{Fd: int32(pidfd), Events: POLLIN}}, 0)
		if exited > 0 && emulated == "darwin" {
			n.release()
			return ESRCH // macOS does not find a zombie; FreeBSD has the event at once
		}
	default:
		return EINVAL
	}
	q.last++
	if err := EpollCtl(epoll, EPOLL_CTL_ADD, n.fd, &EpollEvent{Events: EPOLLIN, Fd: q.last}); err != nil {
		n.release()
		return err
	}
	q.notes[q.last] = n
	return nil
}

func Kevent(kq int, changes, events []Kevent_t, timeout *Timespec) (n int, err error) {
	kqueues.Lock()
	q := kqueues.m[kq]
	if q == nil {
		kqueues.Unlock()
		return -1, EBADF
	}
	for _, c := range changes {
		err := q.change(kq, c)
		if err == nil {
			continue
		}
		if n == len(events) {
			kqueues.Unlock()
			return -1, err
		}
		c.Flags, c.Data = EV_ERROR, int64(err.(Errno))
		events[n] = c
		n++
	}
	kqueues.Unlock()
	if n > 0 || len(events) == 0 {
		return n, nil
	}

	var end time.Time
	if timeout != nil {
		end = time.Now().Add(time.Duration(timeout.Nano()))
	}
	ready := make([]EpollEvent, len(events))
	for {
		wait := -1
		if timeout != nil {
			wait = max(0, int((time.Until(end)+time.Millisecond-1)/time.Millisecond))
		}
		found, err := EpollWait(kq, ready, wait)
		if err != nil {
			return -1, err
		}
		kqueues.Lock()
		for _, r := range ready[:found] {
			note, ok := q.notes[r.Fd]
			if !ok {
				continue // deleted since
			}
			events[n] = note.event
			events[n].Flags = 0
			if r.Events&EPOLLHUP != 0 || note.event.Filter == EVFILT_PROC {
				events[n].Flags = EV_EOF
			}
			n++
			if note.event.Flags&EV_ONESHOT != 0 || note.event.Filter == EVFILT_PROC {
				q.drop(kq, r.Fd)
			}
		}
		kqueues.Unlock()
		if n > 0 || wait == 0 {
			return n, nil
		}
	}
}

// ioctlPtr is the copy's own ioctl that knows the BSDs' number for FIONREAD.
func ioctlPtr(fd int, req uint, arg unsafe.Pointer) error {
	if req == 0x4004667f {
		req = TIOCINQ
	}
	return ioctlPtrOnLinux(fd, req, arg)
}

// What sysctl(3) tells of processes, of those fields that are used.
type (
	KinfoProc struct {
		Proc  ExternProc
		Eproc Eproc
	}
	ExternProc struct {
		P_pid  int32
		P_stat int8
	}
	Eproc struct{ Ppid, Pgid int32 }
)

// SysctlKinfoProcSlice is macOS's.
func SysctlKinfoProcSlice(name string, args ...int) (procs []KinfoProc, err error) {
	const running, zombie = 2, 5
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, entry := range names {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile("/proc/" + entry.Name() + "/stat")
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 18 {
			continue // it has been reaped since
		}
		p := KinfoProc{Proc: ExternProc{P_pid: int32(pid), P_stat: running}}
		number := func(i int) int32 { n, _ := strconv.Atoi(string(fields[i])); return int32(n) }
		p.Eproc = Eproc{Ppid: number(1), Pgid: number(2)}
		if threads := number(17); fields[0][0] == 'Z' && threads <= 1 {
			p.Proc.P_stat = zombie
		}
		switch name {
		case "kern.proc.pgrp":
			if int(p.Eproc.Pgid) != args[0] {
				continue
			}
		case "kern.proc.pid":
			if pid != args[0] {
				continue
			}
		case "kern.proc.all":
		default:
			return nil, ENOENT
		}
		procs = append(procs, p)
	}
	return procs, nil
}

// SysctlRaw is FreeBSD's, for processes.
func SysctlRaw(name string, args ...int) (b []byte, err error) {
	procs, err := SysctlKinfoProcSlice(name, args...)
	for _, p := range procs {
		const size, pidAt, stateAt = 1088, 72, 388 // of struct kinfo_proc on 64-bit systems
		var info [size]byte
		binary.NativeEndian.PutUint32(info[:], size)
		binary.NativeEndian.PutUint32(info[pidAt:], uint32(p.Proc.P_pid))
		binary.NativeEndian.PutUint32(info[pidAt+4:], uint32(p.Eproc.Ppid))
		binary.NativeEndian.PutUint32(info[pidAt+8:], uint32(p.Eproc.Pgid))
		info[stateAt] = byte(p.Proc.P_stat)
		b = append(b, info[:]...)
	}
	return b, err
}
