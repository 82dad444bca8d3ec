package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"example.com/xexec"
)

func output(rnd *rand.Rand) {
	size, code := sizes[rnd.IntN(len(sizes))], rnd.IntN(2)*3
	c := command("say", strconv.Itoa(size), strconv.Itoa(code))
	started.Add(1)
	out, err := c.Output()
	transferred.Add(int64(len(out)))
	if len(out) != size || code != c.ProcessState.ExitCode() || (err == nil) != (code == 0) {
		fail("Output: %d bytes of %d, %v, want code %d", len(out), size, err, code)
	}
	finished("Output", c, err)
}

func pipes(rnd *rand.Rand) {
	data := make([]byte, sizes[rnd.IntN(len(sizes))])
	for i := range data {
		data[i] = byte(i * i)
	}
	c := command("cat")
	in, err1 := c.StdinPipe()
	out, err2 := c.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil || !begin(c) {
		fail("pipes: %v", err)
		return
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		got, err := io.ReadAll(out)
		transferred.Add(int64(len(got)))
		if err != nil || !bytes.Equal(got, data) {
			fail("pipes: %d bytes of %d, %v", len(got), len(data), err)
		}
	})
	in.Write(data)
	in.Close()
	err := c.Wait()
	if err != nil {
		fail("pipes: Wait: %v", err)
	}
	reading.Wait()
	finished("pipes", c, err)
}

func lateReader(rnd *rand.Rand) {
	c := command("say", "4096", "0")
	out, err := c.StdoutPipe()
	if err != nil || !begin(c) {
		fail("late reader: %v", err)
		return
	}
	err = c.Wait()
	if got, err := io.ReadAll(out); err != nil || len(got) != 4096 {
		fail("late reader: %d bytes, %v", len(got), err)
	}
	finished("late reader", c, err)
}

func held(rnd *rand.Rand) {
	c := command("hold", fmt.Sprint(rnd.IntN(3000)))
	var out bytes.Buffer
	c.Stdout, c.WaitDelay = &out, time.Duration(1+rnd.IntN(3000))*time.Millisecond
	if !begin(c) {
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
	size := sizes[rnd.IntN(len(sizes))]
	first, second := command("say", strconv.Itoa(size), "0"), command("cat")
	out, err := first.StdoutPipe()
	if err != nil {
		fail("pipeline: %v", err)
		return
	}
	var got bytes.Buffer
	second.Stdin, second.Stdout = out, &got
	if !begin(first) {
		return
	}
	if !begin(second) {
		first.Kill()
		first.Wait()
		waited.Add(1)
		return
	}
	err1, err2 := first.Wait(), second.Wait()
	transferred.Add(int64(got.Len()))
	if err1 != nil || err2 != nil || got.Len() != size {
		fail("pipeline: %v, %v, %d bytes of %d", err1, err2, got.Len(), size)
	}
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
	if !begin(c) {
		return
	}
	err := c.Wait()
	var exit *exec.ExitError // of SIGPIPE
	if err != errBroken && !errors.As(err, &exit) {
		fail("broken: %v", err)
	}
	finished("broken", c, err)
}
