package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed testdata/floor.c
var floorC string

// newFloor returns what measures one spawn of the program with as little as
// possible around it, and what that is.
func newFloor(program string) (spawn func() float64, what string) {
	if f := cFloor(program); f != nil {
		return f, "posix_spawn and waitpid in C"
	}
	null := must(os.OpenFile(os.DevNull, os.O_RDWR, 0))
	return func() float64 {
		return seconds(func() {
			p := must(os.StartProcess(program, []string{program},
				&os.ProcAttr{Files: []*os.File{null, null, null}}))
			must(p.Wait())
		})
	}, "os.StartProcess and Process.Wait"
}

// cFloor returns nil if there is no C compiler.
func cFloor(program string) func() float64 {
	dir, err := os.MkdirTemp("", "floor")
	if err != nil {
		return nil
	}
	defer os.RemoveAll(dir)
	source, binary := filepath.Join(dir, "floor.c"), filepath.Join(dir, "floor")
	check(os.WriteFile(source, []byte(floorC), 0o666))
	if exec.Command("cc", "-O2", "-o", binary, source).Run() != nil {
		return nil
	}
	c := exec.Command(binary, program)
	in, out := must(c.StdinPipe()), must(c.StdoutPipe())
	check(c.Start()) // it ends with its input, which is ours until we end
	return func() (ns float64) {
		must(fmt.Fprintln(in))
		must(fmt.Fscanln(out, &ns))
		return ns / 1e9
	}
}
