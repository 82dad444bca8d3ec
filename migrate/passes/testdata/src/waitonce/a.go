package waitonce

import (
	"sync"

	exec "example.com/xexec"
)

type process struct {
	cmd  *exec.Cmd
	once sync.Once
	err  error
}

func newProcess() *process { return &process{cmd: exec.Command("true")} }

func (p *process) Wait() error {
	p.once.Do(func() { p.err = p.cmd.Wait() }) // want `Wait is guarded by sync`
	return p.err
}

func values(cmd *exec.Cmd) {
	wait := sync.OnceValue(cmd.Wait) // want `Wait is guarded by sync`
	wait()
	other := sync.OnceValue(func() error { return cmd.Wait() }) // want `Wait is guarded by sync`
	other()
}
