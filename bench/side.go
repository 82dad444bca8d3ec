package main

import (
	"io"
	"os/exec"

	"example.com/xexec"
)

// command is what is used of the commands of both packages.
type command interface {
	Start() error
	Wait() error
	Run() error
	Output() ([]byte, error)
}

// A side is one of the packages.
type side struct {
	name    string
	command func(name string, arg ...string) command
	kill    func(command) error
	cmd     func(command) *exec.Cmd // its fields
}

var (
	std = side{"os/exec",
		func(name string, arg ...string) command { return exec.Command(name, arg...) },
		func(c command) error { return c.(*exec.Cmd).Process.Kill() },
		func(c command) *exec.Cmd { return c.(*exec.Cmd) }}
	x = side{"xexec",
		func(name string, arg ...string) command { return xexec.Command(name, arg...) },
		func(c command) error { return c.(*xexec.Cmd).Kill() },
		func(c command) *exec.Cmd { return c.(*xexec.Cmd).Std() }}
)

func (s side) run(args []string) { check(s.command(args[0], args[1:]...).Run()) }

func (s side) output(args []string) []byte { return must(s.command(args[0], args[1:]...).Output()) }

// outputOf is output of a command that has an input.
func (s side) outputOf(in io.Reader, args []string) []byte {
	c := s.command(args[0], args[1:]...)
	s.cmd(c).Stdin = in
	return must(c.Output())
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
