// Package ptyterm runs programs on a terminal of their own.
package ptyterm

import (
	"io"
	"os"
	"os/exec"
	"sync"

	"github.com/creack/pty"
)

// Terminal is a program on a pseudo terminal.
type Terminal struct {
	cmd *exec.Cmd
	tty *os.File

	once sync.Once
	err  error
}

// starters is how a terminal can be made for a command.
var starters = map[string]func(*exec.Cmd) (*os.File, error){
	"plain": pty.Start,
	"sized": func(c *exec.Cmd) (*os.File, error) {
		return pty.StartWithSize(c, &pty.Winsize{Rows: 30, Cols: 100})
	},
}

// Open starts name on a new terminal.
func Open(kind, name string, args ...string) (*Terminal, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(cmd.Environ(), "TERM=dumb")
	start, ok := starters[kind]
	if !ok {
		start = pty.Start
	}
	tty, err := start(cmd)
	if err != nil {
		return nil, err
	}
	return &Terminal{cmd: cmd, tty: tty}, nil
}

// Shell starts a shell.
func Shell(script string) (*os.File, *exec.Cmd, error) {
	c := exec.Command("sh", "-c", script)
	f, err := pty.Start(c)
	return f, c, err
}

// Read reads what the program shows. The end of a terminal is an error on Linux;
// it is io.EOF here.
func (t *Terminal) Read(p []byte) (int, error) {
	n, err := t.tty.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// Write types.
func (t *Terminal) Write(p []byte) (int, error) { return t.tty.Write(p) }

// Pid is known once the terminal is open.
func (t *Terminal) Pid() int { return t.cmd.Process.Pid }

// Wait waits for the program, from any goroutine.
func (t *Terminal) Wait() error {
	t.once.Do(func() { t.err = t.cmd.Wait() })
	return t.err
}

// Close hangs up.
func (t *Terminal) Close() error {
	t.cmd.Process.Kill()
	t.Wait()
	return t.tty.Close()
}
