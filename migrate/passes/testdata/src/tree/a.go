package tree

import exec "example.com/xexec"

func f(a, b *exec.Cmd) {
	a.SetTree(true)
	b.Process.Kill() // want `SetTree would make it reach the tree`
}
