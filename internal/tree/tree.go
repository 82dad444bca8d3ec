// Package tree holds a command and all that it starts together, so that they can
// be signalled and ended as one, and makes a process die with its parent.
//
// A [Launch] starts the leader of a tree, a [Tree] is what has been started. What
// holds it depends on the system:
//
//   - Linux: the process group that the leader leads, and a cgroup (version 2, with
//     cgroup.kill) where one can be made, its members be named by pidfds and a
//     process be born into it. Without the cgroup, whoever leaves the group
//     (setsid) is not of the tree, and members are found in /proc, which has to be
//     that of our pid namespace, else nobody but the leader is seen.
//   - macOS, FreeBSD on 64 bits: the process group; members are found by sysctl.
//   - NetBSD, OpenBSD, DragonFly, FreeBSD on 32 bits: the process group; members
//     cannot be seen.
//   - Windows: a job object.
//   - Elsewhere there are no trees: [Prepare] says errors.ErrUnsupported.
//
// Death with the parent is Pdeathsig on Linux, where the parent is a thread, which is
// kept as long as a child of it lives; procctl on FreeBSD; a job object on Windows.
// Elsewhere Prepare says errors.ErrUnsupported.
//
// The caller guarantees:
//
//   - All methods of a Tree are called under one lock, that of the run.
//   - The leader of a ProcessGroup is not reaped before the last call of Signal, Kill,
//     Member and ReapOrphans: alive or a zombie, it pins the id of the group. Signal
//     and Kill ask, as far as the system can tell, whether somebody else has reaped it.
//   - Before Signal, it has been seen that the leader has not exited, or that Member
//     has one who is left.
//   - Close or Abandon is called in the end, and Reaped of its Launch.
//
// Start may wait. Close may take some milliseconds, as a cgroup that has just become
// empty cannot always be removed at once, and ReapOrphans up to 0.2 s for an orphan.
package tree

// A Kind is what holds a tree.
type Kind int

const (
	None         Kind = iota
	ProcessGroup      // descendants can leave
	Cgroup            // Linux: none can, save by moving to another cgroup
	JobObject         // Windows: none can
)

func (k Kind) String() string {
	names := [...]string{"no tree", "process group", "cgroup", "job object"}
	if k < 0 || int(k) >= len(names) {
		return "unknown kind of tree"
	}
	return names[k]
}
