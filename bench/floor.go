package main

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed testdata/*.c
var sources embed.FS

// compiled makes a program of testdata in dir. It returns "" and says why if there is
// no C compiler that can do it.
func compiled(dir, name string, flags ...string) (program string) {
	source := name + ".c"
	check(os.WriteFile(filepath.Join(dir, source), must(sources.ReadFile("testdata/"+source)), 0o666))
	cc := exec.Command("cc", append(flags, "-O2", "-o", name, source)...)
	cc.Dir = dir
	if out, err := cc.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s is not measured: cc: %v\n%s", source, err, out)
		return ""
	}
	return filepath.Join(dir, name)
}

// A floor measures with as little around a command as can be: vfork, exec, poll
// and waitpid in C. It is testdata/floor.c; "" measures nothing.
type floor string

// of starts a measurer of the command: what is "run" or "output".
func (f floor) of(what string, command []string) []func() float64 {
	if f == "" {
		return nil
	}
	c := exec.Command(string(f), append([]string{what}, command...)...)
	in, out := must(c.StdinPipe()), must(c.StdoutPipe())
	check(c.Start()) // it ends with its input, which is ours until we end
	return []func() float64{func() (ns float64) {
		must(fmt.Fprintln(in))
		must(fmt.Fscanln(out, &ns))
		return ns / 1e9
	}}
}
