package stopsequence

import (
	"os"
	"syscall"
	"time"

	exec "example.com/xexec"
)

func last(cmd *exec.Cmd, ctx, cancel int) {
	cmd.Process.Signal(syscall.SIGTERM) // want `stop signal, pause, kill`
	time.Sleep(5 * time.Second)
	cmd.Process.Signal(os.Kill)
	cmd.Wait()
}
