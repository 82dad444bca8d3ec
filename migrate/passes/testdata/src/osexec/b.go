package osexec

import (
	osexec "os/exec"

	exec "example.com/xexec"
)

func f(c *osexec.Cmd) *exec.Cmd { return exec.FromStd(c) }
