//go:build dragonfly || netbsd || openbsd

package tree

func (l *Launch) dieWithParent() error { return Unsupported("SetKillOnParentExit") }

// groupMembers cannot tell here: x/sys/unix has no way to ask for the processes
// of a group. So those who are left are killed when the leader exits.
func groupMembers(int) []int { return nil }
