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
	case "say": // so much of a stream, and exit with a code in so many milliseconds
		seed, _ := strconv.ParseUint(args[2], 10, 64)
		code, _ := strconv.Atoi(args[3])
		os.Stdout.Write(stream{n, seed}.bytes())
		sleep(args[4])
		return code
	case "cat":
		io.Copy(os.Stdout, os.Stdin)
	case "serve": // until the input ends
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
		return n
	case "trap": // ends when it is asked to, in so many milliseconds
		return trap(syscall.SIGTERM, args[1])
	case "hold": // leaves the output to a process that lives on for so many milliseconds
		c := exec.Command(exe, childArg, "linger", args[1])
		c.Stdout = os.Stdout
		if err := c.Start(); err != nil {
			return 1
		}
		os.Stdout.WriteString("held")
	case "linger":
		sleep(args[1])
	default:
		return systemChildren[args[0]](args[1:])
	}
	return 0
}

// systemChildren are the children that not every system can have.
var systemChildren = make(map[string]func(args []string) int)

func trap(sig os.Signal, millis string) int {
	c := make(chan os.Signal, 1)
	signal.Notify(c, sig)
	fmt.Println("ready")
	<-c
	sleep(millis)
	return 7
}

func sleep(millis string) {
	n, _ := strconv.Atoi(millis)
	time.Sleep(time.Duration(n) * time.Millisecond)
}
