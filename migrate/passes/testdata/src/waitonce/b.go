package waitonce

import (
	"sync"

	exec "example.com/xexec"
)

type restarted struct {
	cmd  *exec.Cmd
	once sync.Once
	err  error
}

func (p *restarted) Restart() { p.cmd = exec.Command("true") }

func (p *restarted) Wait() error {
	p.once.Do(func() { p.err = p.cmd.Wait() }) // want `Wait is guarded by sync`
	return p.err
}

type read struct {
	cmd  *exec.Cmd
	once sync.Once
	err  error
}

func (p *read) Err() error { return p.err }

func (p *read) Wait() error {
	p.once.Do(func() { p.err = p.cmd.Wait() }) // want `Wait is guarded by sync`
	return p.err
}

type unkeyedStruct struct {
	cmd  *exec.Cmd
	once sync.Once
	err  error
}

var _ = unkeyedStruct{nil, sync.Once{}, nil}

func (p *unkeyedStruct) Wait() error {
	p.once.Do(func() { p.err = p.cmd.Wait() }) // want `Wait is guarded by sync`
	return p.err
}

func reassigned(cmd *exec.Cmd) {
	wait := sync.OnceValue(func() error { return cmd.Wait() }) // want `Wait is guarded by sync`
	cmd = nil
	wait()
}

func others(p *read, f func()) {
	p.once.Do(f)
	p.once.Do(func() { println("x"); p.err = p.cmd.Wait() })
	sync.OnceValue(func() error { return nil })
}
