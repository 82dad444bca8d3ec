//go:build darwin || freebsd

package xtest

import (
	"syscall"
	"testing"

	"example.com/xexec"
)

// TreeKinds are the kinds of trees that can be had here.
func TreeKinds() []xexec.TreeKind { return []xexec.TreeKind{xexec.ProcessGroup} }

// WithoutCgroup is for systems that have cgroups.
func WithoutCgroup(testing.TB) *syscall.SysProcAttr { return nil }
