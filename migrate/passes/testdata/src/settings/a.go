package settings

import (
	"context"
	"syscall"
	"time"

	exec "example.com/xexec"
)

func late(ctx context.Context) error {
	cmd := exec.Command("true")
	cmd.SetTree(true)
	if err := cmd.Start(); err != nil {
		return err
	}
	cmd.SetTree(true) // want `SetTree has no effect after Start`
	if ctx.Err() != nil {
		cmd.SetStopSignal(syscall.SIGINT) // want `SetStopSignal has no effect after Start`
	}
	return cmd.Wait()
}

func each(ctx context.Context) {
	a, b := exec.Command("true"), exec.Command("true")
	out, err := a.Output()
	_, _ = out, err
	a.SetOutputLimit(1) // want `SetOutputLimit has no effect after Output`
	_ = b.RunContext(ctx)
	b.SetGracePeriod(time.Second) // want `SetGracePeriod has no effect after RunContext`
	for range 3 {
		b.SetKillOnParentExit(true) // want `SetKillOnParentExit has no effect after RunContext`
	}
}

type server struct{ cmd *exec.Cmd }

func (s *server) start() {
	s.cmd.Start()
	s.cmd.SetTree(true) // want `SetTree has no effect after Start`
	s.cmd = exec.Command("true")
	s.cmd.SetTree(true)
	s.cmd.Run()
	*s = server{}
}

type job struct{ *exec.Cmd }

func (j *job) run() {
	j.Run()
	j.SetTree(true) // want `SetTree has no effect after Run`
}

func fine(cmds []*exec.Cmd, yes bool) {
	c := exec.Command("true")
	if yes {
		c.Start()
	} else {
		c.SetTree(true)
	}
	c.SetTree(true)
	if yes && c.Run() == nil {
		return
	}
	c.SetTree(true)
	for _, cmd := range cmds {
		cmd.SetTree(true)
		cmd.Start()
	}
	other := exec.Command("true")
	c.Start()
	other.SetTree(true)
	go func() { c.SetTree(true) }()
	for range 2 {
		c.SetTree(true)
		c = exec.Command("true")
	}
}

func copies(c *exec.Cmd) {
	before := *c
	c.SetTree(true)
	d := *c // want `SetTree is lost in this copy of the command: Clone keeps it`
	d.Start()
	use(*c) // want `SetTree is lost in this copy`
	var e exec.Cmd
	e.SetStopSignal(syscall.SIGINT)
	f := e // want `SetStopSignal is lost in this copy`
	_, _ = before, f
	c.Dir = "/"
	p := &e
	_ = p
	c = exec.Command("true")
	g := *c
	_ = g
}

func use(c exec.Cmd) {}
