package xexec

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

// SetTree makes the command and all that it starts one unit, its tree. It is off
// by default: a tree is a process group of its own, which a terminal's Ctrl-C
// does not reach. Like a field, it is to be set before the start.
//
// Kill, Signal, Terminate, Shutdown and the end of a context reach the whole
// tree, also when the process that was started, its leader, has exited and only
// others are left. Their result is about the tree: nil if the signal was
// delivered to a live process of it, [os.ErrProcessDone] once all are gone.
//
// A tree ends in one of two ways, and Wait returns when nobody of it is left:
//
//   - The leader exits by itself: the others are killed at once, before the
//     leader is reaped. So Wait does not hang on a pipe that a forgotten
//     background process holds (golang/go#23019).
//   - The tree has been asked to stop, by Terminate, by Shutdown or by a Cancel,
//     before the leader exited, or after that while nobody waited, so that the
//     others were not killed. Then they have the same time as the leader
//     to clean up: until Shutdown's ctx ends or WaitDelay has passed since the
//     command's own ctx has, and are killed only then. If there is neither,
//     because Terminate was called alone or WaitDelay is zero, nothing limits
//     their time, as nothing limits that of a leader which ignores the signal.
//     (What a Cancel of the caller's own asks only of the leader is no reason to
//     wait for the others, unless WaitDelay says for how long.)
//
// In both cases that takes somebody who waits; the leader, a zombie until then,
// keeps the tree's id from being used again. Terminate also continues the
// processes of a tree that were stopped (SIGCONT after SIGTERM).
//
// What is in the tree depends on the system; [Cmd.TreeKind] tells which of these
// holds:
//
//   - [Cgroup], on Linux where the process may create a child of its own cgroup
//     in a version 2 hierarchy with cgroup.kill (Linux 5.14): every descendant,
//     save one with the rights to move itself to another cgroup.
//   - [ProcessGroup], on other Linux systems, macOS and the BSDs: the process
//     group of the leader. A descendant that leaves it, as daemons (setsid) and
//     the jobs of an interactive shell do, is not in the tree: it is neither
//     signalled nor killed nor waited for. On NetBSD, OpenBSD, DragonFly and 32-bit
//     FreeBSD, and on Linux without a /proc of our pid namespace, where it cannot
//     be seen whether others are left in the group, they are killed when the leader
//     exits, also after Terminate.
//   - [JobObject], on Windows: every descendant.
//
// A process that cannot be killed, because it belongs to another user, is not
// waited for, except in a cgroup, where it can. A process that is killed itself
// leaves the cgroups of its trees behind, empty once their processes end. If
// somebody else has reaped the leader (wait4(-1), os/exec's Wait), a process group
// can only be reached through the leader's pidfd (Linux 6.9), or not at all; on
// macOS and the BSDs, though, one whose leader a wait4(-1) has taken is named by
// its number still, which may be another's by then.
//
// SysProcAttr is used as it is, and not modified. It may ask for a session
// (Setsid, also with a controlling terminal) or for the foreground: the leader
// then leads its group anyway. If it asks for the group of another process
// (Pgid), Start returns an error. A cgroup of the caller's choice (UseCgroupFD)
// is left alone, and the tree is the process group.
//
// A command that os/exec's Start started, such as pty.Start(c.Std()), is a tree
// if its SysProcAttr made it the leader of a session or a group; its kind is
// ProcessGroup. Otherwise the setting has no effect on it.
//
// On other systems Start returns an error that is [errors.ErrUnsupported].
func (c *Cmd) SetTree(tree bool) {
	c.set(func(s *settings) { s.wholeTree = tree })
}

// SetKillOnParentExit makes the operating system kill the command when this
// process ends, however it ends. Like a field, it is to be set before the start.
//
// On Linux and FreeBSD that is SysProcAttr.Pdeathsig, which the system forgets
// when the command executes a set-user-ID program or (on Linux) changes its
// credentials. If Pdeathsig is set already, that signal is sent instead of
// SIGKILL. It reaches the process that was started and not what that has started
// itself, not even with [Cmd.SetTree]: for those, arrange that they end with it.
// As Linux sends the signal when the thread ends that has forked
// (golang/go#27505), such commands are forked by one thread that lives as long
// as the process, and not on the caller's, whose namespaces, capabilities and
// priority they therefore do not inherit. The goroutine that holds this thread
// stays, too; tests that look for leaked goroutines can ignore
// example.com/xexec.forkForever.
//
// On Windows it is a job object. With SetTree it covers the tree, otherwise the
// process that was started.
//
// On other systems Start returns an error that is [errors.ErrUnsupported].
func (c *Cmd) SetKillOnParentExit(kill bool) {
	c.set(func(s *settings) { s.killOnParentExit = kill })
}

func (c *Cmd) set(f func(*settings)) {
	s := stateOf(c)
	s.prepare(c, func() { f(&s.settings) })
}

// A TreeKind is what holds a tree together.
type TreeKind int

const (
	NoTree       TreeKind = iota // the command is one process
	ProcessGroup                 // descendants can leave
	Cgroup                       // Linux: none can, save by moving to another cgroup
	JobObject                    // Windows: none can
)

func (k TreeKind) String() string {
	switch k {
	case NoTree:
		return "no tree"
	case ProcessGroup:
		return "process group"
	case Cgroup:
		return "cgroup"
	case JobObject:
		return "job object"
	}
	return "unknown kind of tree"
}

// TreeKind returns what holds the command's tree together. It is NoTree before
// the start and without [Cmd.SetTree].
func (c *Cmd) TreeKind() TreeKind {
	r := stateOf(c).current(c)
	if r == nil || r.tree == nil {
		return NoTree
	}
	return r.tree.kind()
}

// A treeState is how far a run's tree is from its end. It is guarded by run.mu.
//
// What run.exited is for a single process, over is for a tree: no signal is sent
// once it is set, and the leader is not reaped before. So the leader, alive or a
// zombie, pins the id of the group from its start until the last signal.
type treeState struct {
	asked      bool      // the stop signal has reached it
	until      time.Time // if set, how long those who outlive the leader have
	killed     bool      // it has been killed as a whole
	restKilled bool      // that ended the time of those who had outlived the leader
	over       bool
	closed     bool          // nothing of it is held any more
	lookCost   time.Duration // of the last look at who is left
}

// ask notes that the tree has been asked to stop. The patience is that of a
// command for which os/exec has Cancel and WaitDelay; 0 for no limit.
func (t *treeState) ask(patience time.Duration) {
	if !t.asked && patience != 0 {
		t.until = time.Now().Add(patience)
	}
	t.asked = true
}

// A contradiction is the error of a Start that SetTree and SysProcAttr have made
// impossible.
type contradiction string

func (e contradiction) Error() string { return "xexec: SetTree contradicts SysProcAttr." + string(e) }

// prepareTree makes in such that its Start does what r's settings ask for.
func (r *run) prepareTree(in *exec.Cmd) (err error) {
	if !r.wholeTree && !r.killOnParentExit {
		return nil
	}
	attr := new(syscall.SysProcAttr)
	if in.SysProcAttr != nil {
		*attr = *in.SysProcAttr
	}
	if r.killOnParentExit {
		if err := dieWithParent(attr); err != nil {
			return err
		}
	}
	if r.wholeTree {
		if r.tree, err = newTree(attr); err != nil {
			return err
		}
	}
	in.SysProcAttr = attr
	return nil
}

// signalTree sends sig to the processes of the tree that are alive. The caller
// holds r.mu.
func (r *run) signalTree(sig os.Signal) error {
	if r.fate.over || r.hasExitedLocked() && !r.tree.alive(r.proc) {
		return os.ErrProcessDone
	}
	if sig == os.Kill {
		err := r.tree.kill(r.proc)
		r.fate.killed = r.fate.killed || err == nil
		return err
	}
	err := r.send(sig)
	if err == nil && sig == r.stop() {
		r.fate.ask(r.patience)
		err = r.tree.resume(r.proc)
	}
	return err
}

// killLocked kills the command on account of a context or of a time that is
// over. It returns os.ErrProcessDone if that is not what ends it: because the
// process, or the leader of a tree that nobody had asked to stop, has exited by
// itself. The caller holds r.mu.
func (r *run) killLocked() error {
	sealed := r.sealedLocked()
	err := r.signalLocked(os.Kill)
	switch {
	case err == nil && sealed:
		return os.ErrProcessDone
	case err == nil && r.exited:
		r.fate.restKilled = true
	}
	return err
}

// sealedLocked reports whether the command has come to its end by itself, save
// for what is killed without being asked. The caller holds r.mu.
func (r *run) sealedLocked() bool {
	return r.hasExitedLocked() && !r.patientLocked()
}

// patientLocked reports whether those who outlive the leader are given time.
// The caller holds r.mu.
func (r *run) patientLocked() bool {
	if r.tree == nil || r.fate.killed {
		return false
	}
	if until := r.fate.until; !until.IsZero() && !time.Now().Before(until) {
		return false
	}
	return r.fate.asked || r.end.asked && r.waitDelay != 0
}

// treeEnded takes a tree whose leader has exited a step further to its end, and
// reports whether that is reached, so that the leader can be reaped, if it is not.
// The caller holds r.steps.
func (r *run) treeEnded(reaped bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tree == nil || r.fate.over {
		return true
	}
	if reaped && !r.tree.outlastsLeader() {
		r.fate.over = true // the group's id is not ours any more
		return true
	}
	began := time.Now()
	alive := r.tree.alive(r.proc)
	r.fate.lookCost = time.Since(began)
	if alive && r.patientLocked() {
		return false
	}
	// Also where nobody was seen: looking is no proof while they fork.
	err := r.tree.kill(r.proc)
	r.fate.killed = true
	if alive && err == nil && r.tree.alive(r.proc) {
		return false // SIGKILL was sent, and does not fail; but it takes a moment
	}
	r.fate.over = true
	return true
}

// linger sleeps between two looks at a tree that has outlived its leader, at
// most until cancel is closed: it then returns false. The caller leads.
func (r *run) linger(cancel <-chan struct{}) bool {
	const shortest, longest = 100 * time.Microsecond, 10 * time.Millisecond
	r.lingered = min(max(2*r.lingered, shortest), longest)
	r.mu.Lock()
	cost := r.fate.lookCost
	r.mu.Unlock()
	timer := time.NewTimer(max(r.lingered, 20*cost))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-cancel:
		return false
	}
}

// closeTreeLocked gives back what the tree needed of the system. Where it could not be
// seen that the leader has exited, and the leader is reaped, a cgroup and a job
// still end those who are left. It is called as often as one likes, with r.mu held.
func (r *run) closeTreeLocked() {
	if r.tree != nil && !r.fate.closed {
		r.fate.over, r.fate.closed = true, true
		r.tree.close()
	}
}
