package osexec

import (
	"os"
	"os/exec" // want `os/exec is imported`
)

var _, _ = os.Args, exec.Command
