//go:build unix

package differential_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// A performance is one run of a plan under one package.
type performance struct {
	*plan
	mu    sync.Mutex // guards r
	r     *report
	pkg   xtest.Package
	delay time.Duration // what "short" is

	cmd           xtest.Command
	ctx           context.Context
	end           context.CancelFunc
	cancelCalled  chan struct{}
	cancelCalls   int
	in            io.WriteCloser
	out, err      io.ReadCloser
	stdout        func() []byte // what a writer got
	stderr        func() []byte
	stuck         *stuckReader
	unstuck       sync.Once
	wasStuck      bool
	next          xtest.Command
	nextOut       bytes.Buffer
	readers       sync.WaitGroup // who are waited for before Wait
	lateReaders   sync.WaitGroup // who are not
	read          [2][]byte
	readErr       [2]string
	since         time.Time
	streams       map[string][]byte
	ready         *os.File // the test's ends
	gate, release *os.File
	open, let     sync.Once
	wrote         []error
	ours          []*os.File // which only the child is to have
	closed        sync.Once
}

// An outcome is what there is to see of a performance.
type outcome struct {
	lines   []string
	streams map[string][]byte // what came of each output stream
}

// stderrOfExit is the stream that an ExitError has.
const stderrOfExit = "stderr of the ExitError"

// perform runs the plan.
func (p *plan) perform(t testing.TB, pkg xtest.Package, dir string, delay time.Duration) outcome {
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	f := &performance{r: &report{TB: t, dir: dir}, plan: p, pkg: pkg, delay: delay, streams: make(map[string][]byte)}
	defer func() {
		for _, file := range f.r.files {
			file.Close()
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}()
	f.prepare()
	f.play()
	f.aftermath()
	return outcome{f.r.lines, f.streams}
}

func (f *performance) note(what string, v any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.r.note(what, v)
}

func (f *performance) noteStream(what string, b []byte) {
	f.note(what, sum(b))
	f.streams[what] = b
}

func (f *performance) noteErr(what string, err error) { f.note(what, testkit.Describe(err)) }

// prepare makes the command.
func (f *performance) prepare() {
	name, argv := testkit.NeedHelper(f.r, "act", f.script()...)
	switch f.path {
	case "missing":
		name = filepath.Join(f.r.dir, "missing")
	case "bare":
		name = "no-such-program-anywhere"
	case "empty":
		name = ""
	case "directory":
		name = f.r.dir
	case "text":
		name = fileWith(f.r, "some text").Name()
	case "busy":
		file := fileWith(f.r, "#!/bin/sh\n")
		file.Chmod(0o777)
		name = file.Name()
	}
	f.ctx, f.end = context.Background(), func() {}
	if f.plan.ctx == "" {
		f.cmd = f.pkg.Command(name, argv...)
	} else {
		switch {
		case f.plan.ctx == "background":
		case !f.deadline:
			f.ctx, f.end = context.WithCancel(f.ctx)
		case f.plan.ctx == "before":
			f.ctx, f.end = context.WithTimeout(f.ctx, 0)
		default:
			f.ctx, f.end = context.WithTimeout(f.ctx, f.delay)
		}
		f.cmd = f.pkg.CommandContext(f.ctx, name, argv...)
		f.setCancel()
	}
	c := f.cmd.Std()
	if f.path == "err" {
		c.Err = testkit.ErrBroken
	}
	switch f.plan.delay {
	case "short":
		c.WaitDelay = f.delay
	case "long":
		c.WaitDelay = time.Hour
	}
	f.settings(c)
	if f.needsFiles() {
		f.connect(c)
	}
	if f.gap {
		c.ExtraFiles = append(c.ExtraFiles, nil, fileWith(f.r, "after a gap"))
	}
	f.setStdin(c)
	f.stdout, f.out = f.setOutput(f.plan.stdout, f.cmd.StdoutPipe, func(w io.Writer) { c.Stdout = w })
	if f.plan.stderr == "same" {
		c.Stderr, f.stderr = c.Stdout, func() []byte { return nil }
	} else {
		f.stderr, f.err = f.setOutput(f.plan.stderr, f.cmd.StderrPipe, func(w io.Writer) { c.Stderr = w })
	}
	if f.plan.stdout == "next" {
		f.next = f.pkg.Helper(f.r, "act", "cat")
		f.next.Std().Stdin, f.next.Std().Stdout = f.out, &f.nextOut
	}
}

func (f *performance) settings(c *exec.Cmd) {
	switch f.dir {
	case "temp":
		c.Dir = f.r.dir
	case "missing":
		c.Dir = filepath.Join(f.r.dir, "missing")
	case "file":
		c.Dir = fileWith(f.r, "").Name()
	}
	// Without GORACE, a child built with the race detector sleeps at its exit.
	switch base := []string{"GORACE=" + os.Getenv("GORACE")}; f.env {
	case "some":
		c.Env = append(base, "A=1", "bare", "=x", "", "PATH=/nowhere")
	case "none":
		c.Env = base
	case "twice":
		c.Env = append(base, "X=1", "Y=", "X=2", "PWD=/elsewhere")
	case "nul":
		c.Env = append(base, "X=1\x00Y=2")
	}
	switch f.attr {
	case "group":
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	case "session":
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
}

func (f *performance) setCancel() {
	c := f.cmd.Std()
	f.cancelCalled = make(chan struct{})
	called := func(err error) error {
		if f.cancelCalls++; f.cancelCalls == 1 {
			close(f.cancelCalled)
		}
		return err
	}
	switch f.cancel {
	case "default":
	case "wrapped":
		kill := c.Cancel
		c.Cancel = func() error {
			err := kill()
			f.noteErr("Cancel", err)
			return called(err)
		}
	case "nil":
		c.Cancel = nil
	case "nothing":
		c.Cancel = func() error { return called(nil) }
	case "fails":
		c.Cancel = func() error { return called(testkit.ErrBroken) }
	case "done":
		c.Cancel = func() error { return called(os.ErrProcessDone) }
	case "finish":
		c.Cancel = func() error { f.openGate(); return called(nil) }
	case "finish-fails":
		c.Cancel = func() error { f.openGate(); return called(testkit.ErrBroken) }
	case "finish-done":
		c.Cancel = func() error { f.openGate(); return called(fmt.Errorf("gone: %w", os.ErrProcessDone)) }
	case "term":
		c.Cancel = func() error { return called(c.Process.Signal(syscall.SIGTERM)) }
	}
}

// connect gives the child the descriptors by which it and the test hear of each
// other.
func (f *performance) connect(c *exec.Cmd) {
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			f.r.Fatal(err)
		}
		f.r.files = append(f.r.files, r, w)
		return r, w
	}
	var ready, gate, release *os.File
	f.ready, ready = pipe()
	gate, f.gate = pipe()
	release, f.release = pipe()
	f.ours = []*os.File{ready, gate, release}
	c.ExtraFiles = slices.Clone(f.ours)
}

func (f *performance) openGate() { f.open.Do(func() { f.gate.Close() }) }

func (f *performance) letHeldGo() { f.let.Do(func() { f.release.Close() }) }

func (f *performance) setStdin(c *exec.Cmd) {
	data := distinct(f.stdinSize)
	switch f.stdin {
	case "file":
		c.Stdin = fileWith(f.r, string(data))
	case "offset":
		file := fileWith(f.r, string(data))
		file.Seek(int64(f.stdinSize/2), io.SeekStart)
		c.Stdin = file
	case "buffer":
		c.Stdin = bytes.NewReader(data)
	case "bytewise":
		c.Stdin = iotest.OneByteReader(bytes.NewReader(data))
	case "failing":
		c.Stdin = io.MultiReader(bytes.NewReader(data), iotest.ErrReader(testkit.ErrBroken))
	case "stuck":
		f.stuck = &stuckReader{make(chan struct{})}
		f.wasStuck = true
		c.Stdin = f.stuck
	case "pipe":
		w, err := f.cmd.StdinPipe()
		f.noteErr("StdinPipe", err)
		f.in = w
	}
}

func (f *performance) setOutput(kind string, pipe func() (io.ReadCloser, error), set func(io.Writer)) (got func() []byte, r io.ReadCloser) {
	got = func() []byte { return nil }
	switch kind {
	case "file":
		file := fileWith(f.r, "")
		set(file)
		got = func() []byte { return []byte(contents(f.r, file)) }
	case "buffer":
		var b bytes.Buffer
		set(&b)
		got = b.Bytes
	case "failing":
		w := &testkit.FailingWriter{Room: 2}
		set(w)
		got = func() []byte { return w.Got }
	case "short":
		set(shortWriter{})
	case "pipe", "next":
		var err error
		r, err = pipe()
		f.noteErr("pipe", err)
		_, isFile := r.(*os.File)
		f.note("the pipe is an *os.File", isFile)
	}
	return got, r
}
