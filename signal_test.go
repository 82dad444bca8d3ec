package xexec_test

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// Whatever a method meets while another goroutine starts the command, and kills
// it, and waits for it, it is one of the answers that it promises.
func TestEverythingMayRaceStart(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for round := range 50 {
		c := xtest.HelperContext(t.Context(), t, "serve", "0")
		stdin, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var others sync.WaitGroup
		begin := make(chan struct{})
		race := func(what string, f func() error) {
			others.Go(func() {
				<-begin
				err := f()
				var exit *xexec.ExitError
				if err != nil && err.Error() != "exec: not started" &&
					!errors.Is(err, os.ErrProcessDone) && !errors.As(err, &exit) && !errors.Is(err, testkit.ErrCause) {
					t.Errorf("round %d: %s: %v", round, what, err)
				}
			})
		}
		race("Kill", c.Kill)
		race("Signal", func() error { return c.Signal(os.Kill) })
		race("Wait", c.Wait)
		race("WaitContext", func() error { return c.WaitContext(testkit.Ended) })
		race("TryWait", func() error { _, err := c.TryWait(); return err })
		race("Done", func() error { <-c.Done(); return nil })
		race("Shutdown", func() error { return c.Shutdown(testkit.Ended) })
		race("Pid", func() error { c.Pid(); c.Cause(); return nil })
		race("Clone", func() error { c.Clone(); return nil })
		others.Go(func() {
			<-begin
			if err := c.Start(); err != nil {
				t.Error(err)
			}
		})
		close(begin)
		// All but Done may have come before the start.
		stdin.Close()
		others.Wait()
		if err := c.Kill(); err != os.ErrProcessDone {
			t.Errorf("Kill of a complete command: %v", err)
		}
		if c.Pid() != c.Process.Pid {
			t.Errorf("Pid is %d, Process.Pid %d", c.Pid(), c.Process.Pid)
		}
	}
}

// Of many Kills of one command, those return nil that found it alive, and there
// is at least one. All after the exit return os.ErrProcessDone.
func TestKillFromManyGoroutines(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for range 10 {
		c, _ := xtest.StartServing(t, "0")
		var killers sync.WaitGroup
		delivered := make(chan struct{}, 100)
		for range cap(delivered) / 10 {
			killers.Go(func() {
				for range 10 {
					switch err := c.Kill(); err {
					case nil:
						delivered <- struct{}{}
					case os.ErrProcessDone:
					default:
						t.Errorf("Kill: %v", err)
					}
				}
			})
		}
		killers.Go(func() { c.Wait() })
		killers.Wait()
		if len(delivered) == 0 {
			t.Error("no Kill of a live process returned nil")
		}
		if err := c.Kill(); err != os.ErrProcessDone {
			t.Errorf("Kill after Wait: %v", err)
		}
	}
}

// neverBlock calls every method of c that must not block, Kill last, and fails the
// test if one does. It may be called from any goroutine.
func neverBlock(t testing.TB, where string, c *xexec.Cmd) {
	for what, f := range map[string]func(){
		"TryWait":  func() { c.TryWait() },
		"Signal":   func() { c.Signal(nil) },
		"Cause":    func() { c.Cause() },
		"Pid":      func() { c.Pid() },
		"TreeKind": func() { c.TreeKind() },
		"Done":     func() { c.Done() },
	} {
		promptly(t, what+" in "+where, f)
	}
	promptly(t, "Kill in "+where, func() { c.Kill() })
}

// promptly fails the test if f is not over soon.
func promptly(t testing.TB, what string, f func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		f()
	}()
	select {
	case <-over:
	case <-time.After(testkit.Stuck / 6):
		t.Errorf("%s is not over after %v", what, testkit.Stuck/6)
	}
}

// A busybody is a context all of whose methods do something first. An
// afterFuncBusybody needs no goroutine to tell of its end.
type (
	busybody struct {
		context.Context
		busy func(where string)
	}
	afterFuncBusybody struct{ busybody }
)

func (b busybody) Deadline() (time.Time, bool) { b.busy("Deadline"); return b.Context.Deadline() }
func (b busybody) Done() <-chan struct{}       { b.busy("Done"); return b.Context.Done() }
func (b busybody) Err() error                  { b.busy("Err"); return b.Context.Err() }
func (b busybody) Value(key any) any           { b.busy("Value"); return b.Context.Value(key) }

func (b afterFuncBusybody) AfterFunc(f func()) func() bool {
	b.busy("AfterFunc")
	stop := context.AfterFunc(b.Context, f)
	return func() bool {
		b.busy("what AfterFunc has returned")
		return stop()
	}
}

// A busyValue is an error and a signal all of whose methods do something first.
type busyValue struct{ busy func(where string) }

func (v busyValue) Error() string  { v.busy("Error"); return "busy" }
func (v busyValue) Is(error) bool  { v.busy("Is"); return false }
func (v busyValue) As(any) bool    { v.busy("As"); return false }
func (v busyValue) Unwrap() error  { v.busy("Unwrap"); return nil }
func (v busyValue) String() string { v.busy("String"); return "busy" }
func (v busyValue) Signal()        { v.busy("Signal") }

type (
	readFunc     func([]byte) (int, error)
	writeFunc    func([]byte) (int, error)
	writeToFunc  func(io.Writer) (int64, error)
	readFromFunc func(io.Reader) (int64, error)
)

func (f readFunc) Read(b []byte) (int, error)              { return f(b) }
func (f writeFunc) Write(b []byte) (int, error)            { return f(b) }
func (writeToFunc) Read([]byte) (int, error)               { return 0, io.EOF }
func (f writeToFunc) WriteTo(w io.Writer) (int64, error)   { return f(w) }
func (readFromFunc) Write([]byte) (int, error)             { return 0, testkit.ErrBroken }
func (f readFromFunc) ReadFrom(r io.Reader) (int64, error) { return f(r) }

// A stage is a command before its start, and what is to be called in a callback
// that it gets. Its context ends once that was called, or at once.
type stage struct {
	*testing.T
	c       *xexec.Cmd
	ctx     context.Context
	endSoon bool
	busy    func(where string)
	started chan struct{}
}

var contextCallbacks = map[string]func(context.Context, func(string)) context.Context{
	"a context": func(ctx context.Context, busy func(string)) context.Context { return busybody{ctx, busy} },
	"a context with AfterFunc": func(ctx context.Context, busy func(string)) context.Context {
		return afterFuncBusybody{busybody{ctx, busy}}
	},
}

func (s *stage) pipe(pipe any, err error) syscall.RawConn {
	if err != nil {
		s.Fatal(err)
	}
	conn, err := pipe.(syscall.Conn).SyscallConn()
	if err != nil {
		s.Fatal(err)
	}
	return conn
}

// whenStarted calls f once the command has been started.
func (s *stage) whenStarted(f func()) {
	go func() {
		<-s.started
		f()
	}()
}

var callbacks = map[string]func(s *stage){
	"a context":                func(s *stage) { s.endSoon = true },
	"a context with AfterFunc": func(s *stage) { s.endSoon = true },
	"Reader.Read": func(s *stage) {
		s.c.Stdin = readFunc(func([]byte) (int, error) { s.busy("Read"); return 0, io.EOF })
	},
	"Reader.WriteTo": func(s *stage) {
		s.c.Stdin = writeToFunc(func(io.Writer) (int64, error) { s.busy("WriteTo"); return 0, busyValue{s.busy} })
	},
	"Writer.Write": func(s *stage) {
		s.c.Stdout = writeFunc(func(b []byte) (int, error) { s.busy("Write"); return 0, busyValue{s.busy} })
	},
	"Writer.ReadFrom": func(s *stage) {
		s.c.Stdout = readFromFunc(func(r io.Reader) (int64, error) {
			s.busy("ReadFrom")
			if conn, ok := r.(syscall.Conn); ok {
				s.pipe(conn, nil).Control(func(uintptr) { s.busy("Control in ReadFrom") })
			}
			return 0, busyValue{s.busy}
		})
	},
	"Cancel": func(s *stage) {
		s.c.Cancel, s.endSoon = func() error { s.busy("Cancel"); return nil }, true
	},
	"the error of a Cancel": func(s *stage) {
		s.c.Cancel, s.c.WaitDelay, s.endSoon = func() error { return busyValue{s.busy} }, time.Nanosecond, true
	},
	"the stop signal": func(s *stage) {
		s.c.SetStopSignal(busyValue{s.busy})
		s.whenStarted(func() { s.busy("no method"); s.c.Terminate() })
	},
	"StdoutPipe's Control": func(s *stage) {
		conn := s.pipe(s.c.StdoutPipe())
		s.whenStarted(func() { conn.Control(func(uintptr) { s.busy("Control") }) })
	},
	"StdoutPipe's RawConn.Read": func(s *stage) {
		conn := s.pipe(s.c.StdoutPipe())
		s.whenStarted(func() { conn.Read(func(uintptr) bool { s.busy("Read"); return true }) })
	},
	"StdinPipe's Control": func(s *stage) {
		conn := s.pipe(s.c.StdinPipe())
		s.whenStarted(func() { conn.Control(func(uintptr) { s.busy("Control") }) })
	},
	"a function of context.AfterFunc": func(s *stage) {
		context.AfterFunc(s.ctx, func() { s.busy("it") })
		s.endSoon = true
	},
	"a cleanup": func(s *stage) {
		s.onceMoreWhenStarted(func() { runtime.AddCleanup(new([64]byte), func(int) { s.busy("it") }, 0) })
	},
	"a finalizer": func(s *stage) {
		s.onceMoreWhenStarted(func() { runtime.SetFinalizer(new([64]byte), func(*[64]byte) { s.busy("it") }) })
	},
}

// onceMoreWhenStarted makes garbage now, for a collection during the start, and garbage
// and a collection once the command is started.
func (s *stage) onceMoreWhenStarted(litter func()) {
	litter()
	s.whenStarted(func() {
		litter()
		runtime.GC()
	})
}

// What a caller supplies is called with no lock of ours held: in there nothing
// blocks that must not, while others wait.
func TestNothingBlocksInACallback(t *testing.T) { inCallbacks(t, neverBlock) }

// Shutdown returns wherever it is called, and so does Wait afterwards.
func TestShutdownInACallback(t *testing.T) {
	inCallbacks(t, func(t testing.TB, where string, c *xexec.Cmd) {
		promptly(t, "Shutdown in "+where, func() { c.Shutdown(testkit.Ended) })
	})
}

// inCallbacks calls f in each callback of a command, however that is started.
func inCallbacks(t *testing.T, f func(t testing.TB, where string, c *xexec.Cmd)) {
	for callback, prepare := range callbacks {
		for how, start := range map[string]func(*xexec.Cmd, context.Context) error{
			"Start":        func(c *xexec.Cmd, _ context.Context) error { return c.Start() },
			"StartContext": (*xexec.Cmd).StartContext,
			"os/exec's":    func(c *xexec.Cmd, _ context.Context) error { return c.Std().Start() },
			"Start of a tree": func(c *xexec.Cmd, _ context.Context) error {
				c.SetTree(runtime.GOOS == "linux" || runtime.GOOS == "windows")
				return c.Start()
			},
		} {
			t.Run(callback+", "+how, func(t *testing.T) {
				t.Parallel()
				testkit.Deadline(t, testkit.Stuck)
				ctx, end := context.WithCancel(context.Background())
				defer end()
				s := &stage{T: t, ctx: ctx, started: make(chan struct{})}
				called := make(chan struct{})
				var once sync.Once
				s.busy = func(where string) {
					if how == "os/exec's" { // nobody may look at a command that it is about to start
						select {
						case <-s.started:
						default:
							if contextCallbacks[callback] != nil || callback == "the stop signal" {
								return
							}
							<-s.started
						}
					}
					f(t, where+" of "+callback, s.c)
					if s.c.Pid() != 0 {
						once.Do(func() { close(called) })
					}
				}
				if wrap := contextCallbacks[callback]; wrap != nil {
					s.ctx = wrap(ctx, s.busy)
				}
				if how == "StartContext" {
					s.c = xtest.HelperContext(t.Context(), t, "serve", "0")
				} else {
					s.c = xtest.HelperContext(s.ctx, t, "serve", "0")
				}
				prepare(s)
				if s.c.Stdin == nil {
					if _, err := s.c.StdinPipe(); err != nil {
						t.Fatal(err)
					}
				}
				promptly(t, "Start", func() {
					if err := start(s.c, s.ctx); err != nil {
						t.Error(err)
					}
				})
				close(s.started)
				if t.Failed() {
					return
				}
				waited := make(chan struct{})
				go func() {
					s.c.Wait()
					close(waited)
				}()
				if s.endSoon {
					end()
				}
				<-called
				end()
				<-waited
			})
		}
	}
}
