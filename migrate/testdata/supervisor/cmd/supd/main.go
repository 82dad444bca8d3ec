// Command supd runs the program given as arguments and restarts it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"

	"example.org/supervisor"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: supd program [args]")
		os.Exit(2)
	}
	path, err := exec.LookPath(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(127)
	}
	p, err := supervisor.Start(supervisor.Spec{Name: os.Args[1], Args: append([]string{path}, os.Args[2:]...), Restart: true}, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	<-c
	p.Stop()
}
