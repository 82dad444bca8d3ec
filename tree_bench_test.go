//go:build linux

package xexec_test

import (
	"testing"

	"example.com/xexec"
)

func BenchmarkRunTree(b *testing.B) {
	for _, kind := range append([]xexec.TreeKind{xexec.NoTree}, treeKinds()...) {
		b.Run(kind.String(), func(b *testing.B) {
			for b.Loop() {
				c := xexec.Command("true")
				c.SetTree(kind != xexec.NoTree)
				if kind == xexec.ProcessGroup {
					c.SysProcAttr = withoutCgroup(b)
				}
				if err := c.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
