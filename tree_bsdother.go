//go:build dragonfly || netbsd || openbsd

package xexec

// groupMembers cannot tell here: x/sys/unix has no way to ask for the processes
// of a group. So those who are left are killed when the leader exits.
func groupMembers(int) []int { return nil }
