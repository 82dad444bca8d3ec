//go:build !linux

package tree

import "syscall"

// What only Linux needs.

// onThread calls f: a parent is a process here, and not its thread.
func (l *Launch) onThread(f func() bool, _ [2]<-chan struct{}) error { f(); return nil }

// weaken reports false: a start does not fail on account of the tree.
func (t *Tree) weaken(*syscall.SysProcAttr, error) bool { return false }

// ReapOrphans has nothing to do: there are no zombies, or orphans are PID 1's.
// (FreeBSD's and DragonFly's procctl(2) can make them another's, and says which they
// are.)
func (t *Tree) ReapOrphans() {}
