package xexec_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// goesWithTheCommand drops n commands that f returns, and fails if something of them
// is left: the commands, or, after over, what is kept beside them.
func goesWithTheCommand(t *testing.T, n int, f func() *xexec.Cmd, over func()) {
	t.Helper()
	f() // what it needs once is there
	before := heapObjects()
	var gone atomic.Int64
	made := 0
	for end := time.Now().Add(testkit.Stuck / 4); made < n && (made < 100 || time.Now().Before(end)); made++ {
		runtime.AddCleanup(f(), func(gone *atomic.Int64) { gone.Add(1) }, &gone)
	}
	if !testkit.Collected(func() bool { return gone.Load() == int64(made) }) {
		t.Errorf("of %d commands that were dropped, %d are left", made, int64(made)-gone.Load())
	}
	over()
	left := 0
	if !testkit.Collected(func() bool { left = heapObjects() - before; return left < made/2 }) {
		t.Errorf("%d objects are left of %d commands that were dropped", left, made)
	}
}

func heapObjects() int {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int(stats.HeapObjects)
}

// A context that leads back to the command does not keep it.
func TestContextThatLeadsToTheCommand(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	type key struct{}
	type job struct {
		context.Context
		cmd *xexec.Cmd
	}
	goesWithTheCommand(t, 1000, func() *xexec.Cmd {
		j := &job{}
		j.Context = context.WithValue(t.Context(), key{}, j)
		j.cmd = xexec.CommandContext(j, "whatever")
		return j.cmd
	}, func() {})
}

// What is kept beside a command goes with it.
func TestStateGoesWithTheCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context()) // lives longer than the commands
	defer cancel()
	many, few := 3000, 1000 // of those that cost a process each
	if testkit.Long() {
		many, few = 10_000, 3000
	}
	if testing.Short() || testkit.RaceEnabled || runtime.GOOS == "windows" {
		few = 200
	}
	cheap := func(ctx context.Context) *xexec.Cmd {
		if runtime.GOOS == "linux" {
			return xexec.CommandContext(ctx, "/bin/true")
		}
		return xtest.HelperContext(ctx, t, "exit", "0")
	}
	// One that is dropped while it runs is its context's.
	running, stop := context.WithCancel(t.Context())
	var dropped []*os.Process
	endDropped := func() {
		stop()
		running, stop = context.WithCancel(t.Context())
		for _, p := range dropped {
			p.Wait()
		}
		dropped = nil
	}
	defer func() { endDropped(); stop() }()
	for name, test := range map[string]struct {
		n int
		f func() *xexec.Cmd
	}{
		"before Start": {many, func() *xexec.Cmd {
			c := xexec.CommandContext(ctx, "/no such file")
			c.SetStopSignal(nil)
			c.Done()
			return c
		}},
		"after a failed Start": {many, func() *xexec.Cmd {
			c := xexec.CommandContext(ctx, "/no such file")
			c.Stdout = new(bytes.Buffer)
			c.Start()
			return c
		}},
		"after Start": {few, func() *xexec.Cmd {
			c := cheap(running)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			// Somebody must reap it, and this is not a wait for c.
			dropped = append(dropped, c.Process)
			if len(dropped) == 20 {
				endDropped()
			}
			return c
		}},
		"after Wait": {few, func() *xexec.Cmd {
			c := cheap(ctx)
			c.WaitDelay = time.Hour
			if _, err := c.Output(); err != nil {
				t.Fatal(err)
			}
			return c
		}},
		"with a Cancel of its own, after Wait": {200, func() *xexec.Cmd {
			c := xtest.HelperContext(ctx, t, "exit", "0")
			c.Cancel = func() error { return c.Kill() }
			if err := c.RunContext(ctx); err != nil {
				t.Fatal(err)
			}
			return c
		}},
		"adopted": {200, func() *xexec.Cmd {
			c := xtest.Helper(t, "exit", "0")
			if err := c.Std().Start(); err != nil {
				t.Fatal(err)
			}
			if err := c.Wait(); err != nil {
				t.Fatal(err)
			}
			return c
		}},
		"adopted with a tree, and waited for by os/exec": {200, func() *xexec.Cmd {
			c := xtest.Helper(t, "exit", "0")
			testkit.SetSession(c.Std())
			c.SetTree(true)
			if err := c.Std().Start(); err != nil {
				t.Fatal(err)
			}
			c.Pid()
			if err := c.Std().Wait(); err != nil {
				t.Fatal(err)
			}
			return c
		}},
		"cloned": {many, func() *xexec.Cmd {
			c := xexec.CommandContext(ctx, "/no such file")
			return c.Clone()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Deadline(t, 2*testkit.Stuck)
			goesWithTheCommand(t, test.n, test.f, func() {
				if name == "after Start" {
					endDropped()
				}
			})
		})
	}
}

// A command that is kept holds no writer that its caller has dropped.
func TestStateHoldsNoOutput(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	run := func(c *xexec.Cmd, run func(*xexec.Cmd) error) (gone chan struct{}) {
		gone = make(chan struct{})
		w := &droppable{Buffer: new(bytes.Buffer)}
		runtime.AddCleanup(w, func(gone chan struct{}) { close(gone) }, gone)
		c.Stdout = w
		if err := run(c); err != nil {
			t.Fatal(err)
		}
		if w.String() != "something" {
			t.Errorf("output: %q", w)
		}
		c.Stdout = nil // what the caller can drop
		return gone
	}
	for name, f := range map[string]func(*xexec.Cmd) error{
		"our": (*xexec.Cmd).Run,
		// With a context that only os/exec can name.
		"os/exec's context and our": (*xexec.Cmd).Run,
		"os/exec's": func(c *xexec.Cmd) error {
			if err := c.Std().Start(); err != nil {
				return err
			}
			return c.Wait()
		},
	} {
		c := xtest.Helper(t, "say", "o:something")
		if strings.Contains(name, "context") {
			c = xexec.FromStd(testkit.CommandContext(t.Context(), t, "say", "o:something"))
		}
		gone := run(c, f)
		if !testkit.Collected(func() bool {
			select {
			case <-gone:
				return true
			default:
				return false
			}
		}) {
			t.Errorf("the writer of a command that %s Start started is still held", name)
		}
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// A droppable is a writer that is an object of its own.
type droppable struct {
	*bytes.Buffer
	_ [64]byte
}

// A command that was dropped is still ended by its context, with the Cancel that
// it was given.
func TestDroppedCommandIsEndedByItsContext(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for i := range 4 {
		own, tree := i&1 != 0, i&2 != 0
		ctx, cancel := context.WithCancel(t.Context())
		called := make(chan struct{}, 1)
		var gone atomic.Int64
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		process := func() *os.Process {
			c := xtest.HelperContext(ctx, t, "serve", "0")
			if own {
				c.Cancel = func() error {
					called <- struct{}{}
					return c.Process.Kill()
				}
			}
			c.Stdin = r
			c.SetTree(tree)
			err := c.Start()
			if tree && errors.Is(err, errors.ErrUnsupported) {
				c.SetTree(false)
				c = c.Clone()
				err = c.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			runtime.AddCleanup(c, func(gone *atomic.Int64) { gone.Add(1) }, &gone)
			return c.Process
		}()
		r.Close()
		if !own && !testkit.Collected(func() bool { return gone.Load() > 0 }) {
			t.Error("it is not collected")
		}
		runtime.GC()
		runtime.GC()
		cancel()
		if state, err := process.Wait(); err != nil || state.Success() {
			t.Errorf("the process ended with %v, %v", state, err)
		}
		if own {
			<-called
		}
		w.Close()
	}
}

// An owner has a command, and is every value of a caller's that may lead to it.
type owner struct {
	cmd *xexec.Cmd
	_   [1 << 10]byte
}

func (o *owner) Error() string             { return "an error that knows its command" }
func (o *owner) String() string            { return "a signal that knows its command" }
func (o *owner) Signal()                   {}
func (o *owner) Read([]byte) (int, error)  { return 0, o }
func (o *owner) Write([]byte) (int, error) { return 0, o }
func (o *owner) use() error                { return o }

// Whatever of a caller's leads to a command, that is collected when it is dropped: when
// it is complete, could not be started, or was reaped by somebody else.
func TestEveryWayBackToTheCommandIsCollected(t *testing.T) {
	type key struct{}
	leading := func(o *owner) context.Context { return context.WithValue(context.Background(), key{}, o) }
	caused := func(o *owner) context.Context {
		ctx, cancel := context.WithCancelCause(leading(o))
		cancel(o)
		return ctx
	}
	serving := func(c *xexec.Cmd) *xexec.Cmd {
		if _, err := c.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	ends := map[string]func(c *xexec.Cmd){
		"Wait":               func(c *xexec.Cmd) { c.Kill(); c.Wait() },
		"Done":               func(c *xexec.Cmd) { c.Kill(); <-c.Done() },
		"Process.Wait":       func(c *xexec.Cmd) { c.Process.Kill(); c.Process.Wait() },
		"Process.Wait, Wait": func(c *xexec.Cmd) { c.Process.Kill(); c.Process.Wait(); c.Wait() },
		"Shutdown":           func(c *xexec.Cmd) { c.Shutdown(testkit.Ended) },
	}
	for name, f := range map[string]func(o *owner, end func(c *xexec.Cmd)){
		"a context's value": func(o *owner, end func(*xexec.Cmd)) {
			ctx, cancel := context.WithCancel(leading(o))
			defer cancel()
			o.cmd = serving(xtest.HelperContext(ctx, t, "serve", "0"))
			o.cmd.Start()
			end(o.cmd)
		},
		"a context's value, which goes on": func(o *owner, end func(*xexec.Cmd)) {
			ctx, cancel := context.WithCancel(leading(o))
			_ = cancel
			o.cmd = serving(xtest.HelperContext(ctx, t, "serve", "0"))
			o.cmd.StartContext(ctx)
			end(o.cmd)
		},
		"a cause": func(o *owner, end func(*xexec.Cmd)) {
			ctx, cancel := context.WithCancelCause(leading(o))
			o.cmd = serving(xtest.Helper(t, "serve", "0"))
			o.cmd.StartContext(ctx)
			cancel(o)
			end(o.cmd)
		},
		"a cause that prevents the start": func(o *owner, end func(*xexec.Cmd)) {
			o.cmd = xtest.Helper(t, "exit", "0")
			o.cmd.RunContext(caused(o))
		},
		"the cause of a Shutdown": func(o *owner, end func(*xexec.Cmd)) {
			o.cmd = serving(xtest.Helper(t, "serve", "0"))
			o.cmd.Start()
			o.cmd.Shutdown(caused(o))
			end(o.cmd)
		},
		"the cause of a Shutdown of os/exec's": func(o *owner, end func(*xexec.Cmd)) {
			o.cmd = serving(xtest.Helper(t, "serve", "0"))
			o.cmd.Std().Start()
			o.cmd.Shutdown(caused(o))
			o.cmd.Wait()
		},
		"the cause of a WaitContext": func(o *owner, end func(*xexec.Cmd)) {
			o.cmd = serving(xtest.Helper(t, "serve", "0"))
			o.cmd.Start()
			o.cmd.WaitContext(caused(o))
			end(o.cmd)
		},
		"a Reader and a Writer": func(o *owner, end func(*xexec.Cmd)) {
			o.cmd = xtest.Helper(t, "cat")
			o.cmd.Stdin, o.cmd.Stdout, o.cmd.Stderr = o, o, o
			o.cmd.Start()
			end(o.cmd)
		},
		"a Cancel, and its error": func(o *owner, end func(*xexec.Cmd)) {
			ctx, cancel := context.WithCancel(context.Background())
			o.cmd = serving(xtest.Helper(t, "serve", "0"))
			o.cmd.Cancel = o.use
			o.cmd.StartContext(ctx)
			cancel()
			end(o.cmd)
		},
		"a stop signal": func(o *owner, end func(*xexec.Cmd)) {
			o.cmd = serving(xtest.Helper(t, "serve", "0"))
			o.cmd.SetStopSignal(o)
			o.cmd.Start()
			o.cmd.Terminate()
			end(o.cmd)
		},
		"an error of the command": func(o *owner, end func(*xexec.Cmd)) {
			o.cmd = xtest.Helper(t, "exit", "0")
			o.cmd.Err = o
			o.cmd.Run()
		},
		"the Output of a limited tree": func(o *owner, end func(*xexec.Cmd)) {
			o.cmd = xtest.HelperContext(leading(o), t, "say", "o:too much")
			o.cmd.SetOutputLimit(1)
			o.cmd.SetTree(runtime.GOOS != "windows")
			o.cmd.Output()
		},
		"a clone": func(o *owner, end func(*xexec.Cmd)) {
			o.cmd = serving(xtest.HelperContext(leading(o), t, "serve", "0"))
			o.cmd.Start()
			end(o.cmd)
			o.cmd = o.cmd.Clone()
			o.cmd.Cancel = o.cmd.Kill
			o.cmd = o.cmd.Clone()
			serving(o.cmd).Start()
			end(o.cmd)
		},
	} {
		for how, end := range ends {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				testkit.Deadline(t, testkit.Stuck)
				const n = 5
				var gone atomic.Int32
				for range n {
					func() {
						o := new(owner)
						runtime.AddCleanup(o, func(int) { gone.Add(1) }, 0)
						f(o, end)
					}()
				}
				if !testkit.Collected(func() bool { return gone.Load() == n }) {
					t.Errorf("%d of %d were collected", gone.Load(), n)
				}
			})
		}
	}
}

// In a finalizer of its own the command is what it was: it can be stopped, waited for
// and asked.
func TestFinalizerOfTheCommand(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for name, test := range map[string]struct {
		args []string
		end  func(c *xexec.Cmd)
		want string
	}{
		"while it runs":      {[]string{"serve", "0"}, func(c *xexec.Cmd) { c.Kill() }, "signal: killed"},
		"when it is over":    {[]string{"exit", "3"}, func(c *xexec.Cmd) { c.Kill() }, "exit status 3"},
		"when it was waited": {[]string{"exit", "4"}, func(c *xexec.Cmd) { c.TryWait() }, "exit status 4"},
	} {
		got := make(chan error)
		func() {
			c := xtest.Helper(t, test.args[0], test.args[1:]...)
			c.SetOutputLimit(7)
			if _, err := c.StdinPipe(); err != nil {
				t.Fatal(err)
			}
			runtime.SetFinalizer(c, func(c *xexec.Cmd) {
				go func() {
					test.end(c)
					err := c.Wait()
					if c.ProcessState == nil || c.Kill() != os.ErrProcessDone {
						t.Errorf("%s: %v", name, c.ProcessState)
					}
					got <- err
				}()
			})
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if name == "when it is over" {
				for c.Signal(nil) != os.ErrProcessDone {
					time.Sleep(time.Millisecond)
				}
			} else if name == "when it was waited" {
				c.Wait()
			}
		}()
		var err error
		testkit.Eventually(t, "the finalizer has run", func() bool {
			runtime.GC()
			select {
			case err = <-got:
				return true
			default:
				return false
			}
		})
		if err == nil || err.Error() != test.want && runtime.GOOS != "windows" {
			t.Errorf("%s: Wait: %v, want %s", name, err, test.want)
		}
	}
}

// A Stdin whose reader does not return leaves a goroutine behind, which does not hold
// where the output went.
func TestStdinThatStaysHoldsNoOutput(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	stdin, hold := io.Pipe()
	defer hold.Close()
	gone := make(chan struct{})
	func() {
		out := new(bytes.Buffer)
		runtime.AddCleanup(out, func(int) { close(gone) }, 0)
		c := xtest.Helper(t, "exit", "0")
		c.Stdin, c.Stdout, c.WaitDelay = stdin, struct{ io.Writer }{out}, time.Millisecond
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		c.Wait()
	}()
	for {
		runtime.GC()
		select {
		case <-gone:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// A struct that was moved while its command ran is cloned with all that was set.
func TestCloneOfAMovedStruct(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	cmds := []xexec.Cmd{*xtest.Helper(t, "say", "o:something")}
	cmds[0].SetOutputLimit(4)
	if err := cmds[0].Start(); err != nil {
		t.Fatal(err)
	}
	moved := append([]xexec.Cmd{}, cmds...)
	c := &moved[0]
	if d := c.Clone(); d != nil {
		if out, err := d.Output(); string(out) != "some" || !errors.Is(err, xexec.ErrOutputLimit) {
			t.Errorf("Output of the clone: %q, %v", out, err)
		}
	}
	c.Wait()
	if out, err := c.Clone().Output(); string(out) != "some" || !errors.Is(err, xexec.ErrOutputLimit) {
		t.Errorf("Output of a later clone: %q, %v", out, err)
	}
}

// A copy has its ProcessState as the original has it: however it is waited for, before
// that returns, and never after it.
func TestProcessStateOfACopy(t *testing.T) {
	for name, wait := range map[string]func(c *xexec.Cmd){
		"Wait":        func(c *xexec.Cmd) { c.Wait() },
		"WaitContext": func(c *xexec.Cmd) { c.WaitContext(context.Background()) },
		"Done":        func(c *xexec.Cmd) { <-c.Done() },
		"Shutdown":    func(c *xexec.Cmd) { c.Shutdown(testkit.Ended) },
		"TryWait": func(c *xexec.Cmd) {
			for done := false; !done; done, _ = c.TryWait() {
				time.Sleep(time.Millisecond)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)
			for range 5 {
				c, stop := xtest.StartServing(t, "0")
				d := *c
				var others sync.WaitGroup
				for range 8 {
					others.Go(func() { d.Wait() })
				}
				testkit.Eventually(t, "they wait", func() bool { return len(testkit.Goroutines("(*run).await", "(*Cmd).Wait(")) == 8 })
				stop()
				if wait(&d); d.ProcessState == nil {
					t.Error("it has none")
				}
				<-d.Done()
				d = xexec.Cmd{} // though the others are still to return
				others.Wait()
				if d.ProcessState != nil {
					t.Error("another command has it")
				}
			}
		})
	}
}

// Done of a copy of a command that could not be started is closed.
func TestDoneOfAMovedFailedStart(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xexec.Command(noFile)
	if err := c.Start(); err == nil {
		t.Fatal("it was started")
	}
	d := *c
	<-d.Done()
	if err := d.Start(); err == nil || err.Error() != "exec: already started" {
		t.Errorf("Start: %v", err)
	}
	d = *xtest.Helper(t, "exit", "0")
	if err := d.Run(); err != nil {
		t.Error(err)
	}
}
