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

func (p *process) Wait() error {
	p.once.Do(func() { p.err = p.cmd.Wait() }) // want `Wait is guarded by sync`
	return p.err
}

func (p *process) log() {
	p.once.Do(func() { // want `Wait is guarded by sync`
		if err := p.cmd.Wait(); err != nil {
			println(err.Error())
		}
	})
}

func values(cmd *exec.Cmd) {
	_ = sync.OnceValue(cmd.Wait)                                           // want `Wait is guarded by sync`
	_ = sync.OnceValue(func() error { return cmd.Wait() })                 // want `Wait is guarded by sync`
	_ = sync.OnceFunc(func() { cmd.Wait() })                               // want `Wait is guarded by sync`
	_ = sync.OnceValues(func() (int, error) { cmd.Wait(); return 0, nil }) // want `Wait is guarded by sync`
}

func others(p *process, f func(), wg *sync.WaitGroup) {
	p.once.Do(f)
	p.once.Do(func() { p.err = p.cmd.Start() })
	p.once.Do(wg.Wait)
}
