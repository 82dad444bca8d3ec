package stopsignal

import (
	"os"
	"syscall"
	"time"

	exec "example.com/xexec"
)

func f(cmd *exec.Cmd) {
	cmd.SetStopSignal(os.Interrupt)
	cmd.Signal(syscall.SIGTERM) // want `stop signal, pause, kill`
	time.Sleep(time.Second)
	cmd.Kill()
	cmd.Wait()
}
