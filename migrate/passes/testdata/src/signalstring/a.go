package signalstring

import (
	"strings"

	exec "example.com/xexec"
)

const killed = "signal: killed"

func f(cmd *exec.Cmd) bool {
	err := cmd.Run()
	if err != nil && err.Error() == "signal: killed" { // want `error compared with a text about a signal`
		return true
	}
	if killed != err.Error() { // want `error compared with a text about a signal`
		return strings.Contains(err.Error(), killed) // want `error compared with a text about a signal`
	}
	return strings.HasPrefix(err.Error(), "exit status") || err.Error() == "x" || "signal: killed" == "x"
}
