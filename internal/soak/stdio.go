package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"sync"
	"time"

	"example.com/xexec"
)

func output(rnd *rand.Rand) {
	text, code := randomStream(rnd), rnd.IntN(2)*3
	c := text.sayer(code, 0)
	out, err := c.Output()
	if !begun("Output", c, err) {
		return
	}
	text.expect("Output", out)
	expectCode("Output", err, code)
	finished("Output", c, err)
}

func pipes(rnd *rand.Rand) {
	text := randomStream(rnd)
	c := command("cat")
	in, err1 := c.StdinPipe()
	out, err2 := c.StdoutPipe()
	if !begin("pipes", c, err1, err2) {
		return
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		got, err := io.ReadAll(out)
		if err != nil {
			fail("pipes: %v", err)
		}
		text.expect("pipes", got)
	})
	in.Write(text.bytes())
	in.Close()
	err := c.Wait()
	expectCode("pipes", err, 0)
	reading.Wait()
	finished("pipes", c, err)
}

func lateReader(rnd *rand.Rand) {
	text := stream{1 + rnd.IntN(4096), rnd.Uint64()} // a pipe holds it
	c := text.sayer(0, 0)
	out, err := c.StdoutPipe()
	if !begin("late reader", c, err) {
		return
	}
	err = c.Wait()
	expectCode("late reader", err, 0)
	got, readErr := io.ReadAll(out)
	if readErr != nil {
		fail("late reader: %v", readErr)
	}
	text.expect("late reader", got)
	finished("late reader", c, err)
}

func held(rnd *rand.Rand) {
	c := command("hold", fmt.Sprint(rnd.IntN(3000)))
	var out bytes.Buffer
	c.Stdout, c.WaitDelay = &out, time.Duration(1+rnd.IntN(3000))*time.Millisecond
	if !begin("held", c) {
		return
	}
	err := c.Wait()
	if err != nil && err != xexec.ErrWaitDelay || err == nil && out.String() != "held" {
		fail("held: %v, %q", err, &out)
	}
	finished("held", c, err)
}

// pipeline gives the output of one command to another.
func pipeline(rnd *rand.Rand) {
	text := randomStream(rnd)
	first, second := text.sayer(0, 0), command("cat")
	out, err := first.StdoutPipe()
	if !begin("pipeline", first, err) {
		return
	}
	var got bytes.Buffer
	second.Stdin, second.Stdout = out, &got
	if !begin("pipeline", second) {
		first.Kill()
		finished("pipeline", first, first.Wait())
		return
	}
	err1, err2 := first.Wait(), second.Wait()
	expectCode("pipeline", err1, 0)
	expectCode("pipeline", err2, 0)
	text.expect("pipeline", got.Bytes())
	finished("pipeline", first, err1)
	finished("pipeline", second, err2)
}

var errBroken = errors.New("broken")

// A breaking fails after so many bytes.
type breaking struct{ left int }

func (b *breaking) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	if b.left -= n; n < len(p) {
		return n, errBroken
	}
	return n, nil
}

func (b *breaking) Read(p []byte) (int, error) { return b.Write(p) }

// broken is a command whose input or output fails midway.
func broken(rnd *rand.Rand) {
	c := command("cat")
	c.Stdin = bytes.NewReader(make([]byte, 1<<20))
	end := &breaking{rnd.IntN(1 << 20)}
	if rnd.IntN(2) == 0 {
		c.Stdin = end
	} else {
		c.Stdout = end
	}
	if !begin("broken", c) {
		return
	}
	err := c.Wait()
	var exit *exec.ExitError // of SIGPIPE
	if err != errBroken && !errors.As(err, &exit) {
		fail("broken: %v", err)
	}
	finished("broken", c, err)
}
