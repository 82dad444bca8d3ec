//go:build unix

package xexec_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	osexec "os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	exec "example.com/xexec"
)

// A program that uses os/exec changes its import line, and nothing else:
//
//	import exec "example.com/xexec"
func Example() {
	out, err := exec.Command("echo", "hello").Output()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", out)
	// Output: hello
}

// A command with a time limit. When that is over, the shell and all that it has
// started are asked to stop, and what is left after five seconds is killed.
func ExampleCmd_RunContext() {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()

	var output bytes.Buffer
	cmd := exec.Command("sh", "-c", "echo working; sleep 1000 & wait")
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SetTree(true)
	cmd.SetGracePeriod(5 * time.Second)

	err := cmd.RunContext(ctx)
	var exit *exec.ExitError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("out of time")
	case errors.As(err, &exit):
		fmt.Println("failed with status", exit.ExitCode())
	}
	// What was written until then is in output.

	// Output: out of time
}

// Lines are handled as they come. It does no harm to call Wait before all are read.
func ExampleCmd_StdoutPipe() {
	cmd := exec.Command("sh", "-c", "echo one; echo two; echo three")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		fmt.Println("got", lines.Text())
	}
	if err := errors.Join(lines.Err(), cmd.Wait()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// got one
	// got two
	// got three
}

// Any number of goroutines wait for one command, and all get the same result.
func ExampleCmd_Wait() {
	cmd := exec.Command("sh", "-c", "exit 3")
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { fmt.Println(cmd.Wait()) })
	}
	all.Wait()
	// Output:
	// exit status 3
	// exit status 3
	// exit status 3
}

// The end of the context ends the waiting. The command runs on.
func ExampleCmd_WaitContext() {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	fmt.Println(cmd.WaitContext(ctx))

	fmt.Println(cmd.Kill())
	fmt.Println(cmd.Wait())
	// Output:
	// context deadline exceeded
	// <nil>
	// signal: killed
}

// TryWait tells whether the command is over, and how it ended, without waiting.
func ExampleCmd_TryWait() {
	cmd := exec.Command("cat") // which ends when its input does
	stdin, err := cmd.StdinPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(cmd.TryWait())
	stdin.Close()
	<-cmd.Done()
	fmt.Println(cmd.TryWait())
	// Output:
	// false <nil>
	// true <nil>
}

// A select takes the end of a command like any other event.
func ExampleCmd_Done() {
	cmd := exec.Command("sh", "-c", "exit 3")
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Println("process", cmd.Pid(), "is at work")
		case <-cmd.Done():
			fmt.Println(cmd.Wait()) // returns at once
			return
		}
	}
	// Output: exit status 3
}

// A program that is told to stop stops its children first. All have ten seconds
// together.
func ExampleCmd_Shutdown() {
	stop, restore := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer restore()
	var workers [3]*exec.Cmd
	for i := range workers {
		workers[i] = exec.Command("sleep", "1000")
		if err := workers[i].Start(); err != nil {
			log.Fatal(err)
		}
	}

	syscall.Kill(os.Getpid(), syscall.SIGTERM) // the example does it itself
	<-stop.Done()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for _, cmd := range workers {
		all.Go(func() { fmt.Println(cmd.Shutdown(ctx), cmd.Wait()) })
	}
	all.Wait()
	// Output:
	// <nil> signal: terminated
	// <nil> signal: terminated
	// <nil> signal: terminated
}

// A supervisor starts its command again and again. Each run is a clone, with the
// settings of the original.
func ExampleCmd_Clone() {
	service := exec.Command("sh", "-c", "exit 3")
	service.SetTree(true)

	pause := time.Millisecond
	for range 3 {
		fmt.Println(service.Clone().Run())
		time.Sleep(pause)
		pause *= 2
	}
	// Output:
	// exit status 3
	// exit status 3
	// exit status 3
}

// A command that writes without an end does not fill the memory.
func ExampleCmd_SetOutputLimit() {
	cmd := exec.Command("yes")
	cmd.SetOutputLimit(1 << 20)
	out, err := cmd.Output()
	fmt.Println(len(out), errors.Is(err, exec.ErrOutputLimit))
	// Output: 1048576 true
}

// The shell leaves a process behind that holds the output open. Without SetTree,
// Output would wait for it.
func ExampleCmd_SetTree() {
	cmd := exec.Command("sh", "-c", "sleep 1000 & echo started")
	cmd.SetTree(true)
	out, err := cmd.Output()
	fmt.Printf("%s%v\n", out, err)
	// Output:
	// started
	// <nil>
}

// A function that knows os/exec only starts the command. Its process is waited
// for here.
func ExampleCmd_Std() {
	launch := func(cmd *osexec.Cmd) error {
		cmd.Env = append(cmd.Environ(), "STATUS=3")
		return cmd.Start()
	}
	cmd := exec.Command("sh", "-c", "exit $STATUS")
	if err := launch(cmd.Std()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(cmd.Wait())
	// Output: exit status 3
}

// Run says how the command exited, as os/exec's does. Cause says why.
func ExampleCmd_Cause() {
	tooSlow := errors.New("the build is too slow")
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Second, tooSlow)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sleep", "1000")
	fmt.Println(cmd.Run())
	fmt.Println(cmd.Cause())
	// Output:
	// signal: killed
	// the build is too slow
}

// The end of the context asks the command to stop, and kills it if it is still there five
// seconds later.
func ExampleCmd_SetGracePeriod() {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	cmd := exec.Command("sleep", "1000")
	cmd.SetGracePeriod(5 * time.Second)
	fmt.Println(cmd.RunContext(ctx))
	// Output: context deadline exceeded: signal: terminated
}

// What the command wrote before its time was over is there, and the error says both why
// it ended and how.
func ExampleCmd_OutputContext() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	cmd := exec.Command("sh", "-c", "echo working; sleep 1000")
	cmd.SetTree(true)
	out, err := cmd.OutputContext(ctx)
	fmt.Printf("%s%v\n", out, err)
	// Output:
	// working
	// context deadline exceeded: signal: killed
}

// A program that wants another signal than SIGTERM to stop gets it from Terminate and
// Shutdown, and when a context ends.
func ExampleCmd_SetStopSignal() {
	cmd := exec.Command("sleep", "1000")
	cmd.SetStopSignal(syscall.SIGUSR1)
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(cmd.Shutdown(context.Background()), cmd.Wait())
	// Output: <nil> signal: user defined signal 1
}

// A signal reaches the command, or nobody.
func ExampleCmd_Signal() {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(cmd.Signal(syscall.SIGUSR1))
	fmt.Println(cmd.Wait())
	fmt.Println(cmd.Signal(syscall.SIGUSR1))
	// Output:
	// <nil>
	// signal: user defined signal 1
	// os: process already finished
}

// A command that a library has made for os/exec is run here: it is the same object.
func ExampleFromStd() {
	std := osexec.Command("sh", "-c", "exit 3")
	cmd := exec.FromStd(std)
	fmt.Println(cmd.Run())
	fmt.Println(std.ProcessState.ExitCode())
	// Output:
	// exit status 3
	// 3
}
