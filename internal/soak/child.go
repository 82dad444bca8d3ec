package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const childArg = "soak-child"

// child is what the commands run.
func child(args []string) int {
	time.AfterFunc(5*time.Minute, func() { os.Exit(125) }) // if the parent has died
	n := 0
	if len(args) > 1 {
		n, _ = strconv.Atoi(args[1])
	}
	switch args[0] {
	case "say": // so much, and exit
		os.Stdout.Write(make([]byte, n))
		code, _ := strconv.Atoi(args[2])
		return code
	case "cat":
		io.Copy(os.Stdout, os.Stdin)
	case "serve": // until the input ends
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
		return n
	case "trap": // ends when it is asked to, in so many milliseconds
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		fmt.Println("ready")
		<-c
		time.Sleep(time.Duration(n) * time.Millisecond)
		return 7
	case "hold": // leaves the output to a process that lives on for so many milliseconds
		c := exec.Command(exe, childArg, "linger", args[1])
		c.Stdout = os.Stdout
		if err := c.Start(); err != nil {
			return 1
		}
		os.Stdout.WriteString("held")
	case "linger":
		time.Sleep(time.Duration(n) * time.Millisecond)
	default:
		return systemChildren[args[0]](args[1:])
	}
	return 0
}

// systemChildren are the children that not every system can have.
var systemChildren = make(map[string]func(args []string) int)
