package xexec_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// Children that are waited for, most of them in vain for a while, share a few threads,
// and a WaitContext that was left leaves nothing.
func TestManyChildrenFewThreads(t *testing.T) {
	testkit.Deadline(t, 5*testkit.Stuck)
	children := 60
	if testkit.Long() {
		children = 1000
	}
	stdin, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	defer w.Close()
	threads, goroutines := testkit.Threads(t), runtime.NumGoroutine()
	var all []*xexec.Cmd
	for range children {
		c := xexec.Command("findstr", "nothing")
		c.Stdin = stdin // until w is closed
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var left, waits sync.WaitGroup
	for _, c := range all {
		left.Go(func() {
			if err := c.WaitContext(ctx); err != context.Canceled {
				t.Errorf("WaitContext: %v", err)
			}
		})
	}
	testkit.Eventually(t, "all wait", func() bool { return len(testkit.Goroutines("exits.watch(")) == children })
	most := testkit.Threads(t) - threads
	cancel()
	left.Wait()
	testkit.Eventually(t, "no goroutine stays", func() bool { return runtime.NumGoroutine() <= goroutines })
	for _, c := range all {
		waits.Go(func() {
			var exit *xexec.ExitError
			if err := c.Wait(); !errors.As(err, &exit) {
				t.Errorf("Wait: %v", err)
			}
		})
	}
	testkit.Eventually(t, "all wait again", func() bool {
		return len(testkit.Goroutines("exits.watch("))+len(testkit.Goroutines("exits.(*Process).block(")) == children
	})
	most = max(most, testkit.Threads(t)-threads)
	w.Close()
	waits.Wait()
	most = max(most, testkit.Threads(t)-threads)
	t.Logf("%d threads for %d children", most, children)
	if most > 64 {
		t.Errorf("%d threads for %d children", most, children)
	}
}

// A stop that can never be sent is not waited for: not by Shutdown, not by Terminate as
// Cancel, not by the grace period.
func TestStopThatCannotBeSent(t *testing.T) {
	kernel32.NewProc("FreeConsole").Call()
	for name, prepare := range map[string]func(*xexec.Cmd){
		"plain": func(*xexec.Cmd) {},
		"group without a console of ours": func(c *xexec.Cmd) {
			c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
		},
		"tree without a console of ours": func(c *xexec.Cmd) { c.SetTree(true) },
		"tree with its own console": func(c *xexec.Cmd) {
			c.SetTree(true)
			c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS}
		},
	} {
		command := func(t *testing.T, ctx context.Context) *xexec.Cmd {
			testkit.Deadline(t, testkit.Stuck/2)
			c := xtest.HelperContext(ctx, t, "family", "0", "stay")
			prepare(c)
			return c
		}
		t.Run(name+", Shutdown", func(t *testing.T) {
			c := command(t, context.Background())
			xtest.StartReady(t, xtest.X.From(c.Std()))
			if err := c.Terminate(); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("Terminate: %v", err)
			}
			if err := c.Shutdown(context.Background()); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("Shutdown: %v", err)
			}
			if err := c.Wait(); c.ProcessState.ExitCode() != 1 {
				t.Errorf("Wait: %v", err)
			}
		})
		for how, set := range map[string]func(*xexec.Cmd){
			"Cancel":       func(c *xexec.Cmd) { c.Cancel = c.Terminate },
			"grace period": func(c *xexec.Cmd) { c.SetGracePeriod(time.Hour) },
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				c := command(t, ctx)
				set(c)
				xtest.StartReady(t, xtest.X.From(c.Std()))
				cancel()
				if err := c.Wait(); c.ProcessState.ExitCode() != 1 {
					t.Errorf("Wait: %v", err)
				}
				if c.Cause() != context.Canceled {
					t.Errorf("Cause: %v", c.Cause())
				}
			})
		}
	}
}

// Who has reaped the process makes no difference to signals, and Wait tells of it.
func TestReapedBySomebodyElse(t *testing.T) {
	for name, tree := range map[string]bool{"plain": false, "tree": true} {
		t.Run(name, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)
			c := xtest.Helper(t, "family", "0", "3")
			c.SetTree(tree)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Process.Wait(); err != nil {
				t.Fatal(err)
			}
			// Where we have no console, the process of its own one leaves the tree last.
			testkit.Eventually(t, "all are gone", func() bool { return c.Kill() == os.ErrProcessDone })
			for range 3 {
				for _, sig := range []os.Signal{os.Kill, os.Interrupt, syscall.SIGTERM} {
					if err := c.Signal(sig); err != os.ErrProcessDone {
						t.Errorf("%v: %v", sig, err)
					}
				}
			}
			if err := c.Terminate(); err != os.ErrProcessDone {
				t.Errorf("Terminate: %v", err)
			}
			if err := c.Wait(); !errors.Is(err, syscall.ECHILD) {
				t.Errorf("Wait: %v, want ECHILD", err)
			}
		})
	}
}

// What was released runs on, and is not ours to judge.
func TestReleasedProcess(t *testing.T) {
	for name, tree := range map[string]bool{"plain": false, "tree": true} {
		t.Run(name, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)
			c := xtest.Helper(t, "family", "0", "stay")
			c.SetTree(tree)
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			out.Read(make([]byte, 1)) // it is ready
			p, err := os.FindProcess(c.Pid())
			if err != nil {
				t.Fatal(err)
			}
			defer p.Wait()
			defer p.Kill()
			c.Process.Release()
			if err := c.Wait(); err == nil || errors.Is(err, syscall.ECHILD) {
				t.Errorf("Wait: %v", err)
			}
			p.WithHandle(func(h uintptr) {
				if event, _ := windows.WaitForSingleObject(windows.Handle(h), 100); event == windows.WAIT_OBJECT_0 {
					t.Error("it is dead")
				}
			})
		})
	}
}

// Commands leave no handle, whether they are waited for or dropped, as trees or not.
func TestHandlesStayLevel(t *testing.T) {
	testkit.Deadline(t, 2*testkit.Stuck)
	const rounds = 20
	for name, round := range map[string]func(tree bool){
		"waited for": func(tree bool) {
			c := xtest.Helper(t, "exit", "0")
			c.SetTree(tree)
			c.SetKillOnParentExit(true)
			if _, err := c.CombinedOutput(); err != nil {
				t.Error(err)
			}
		},
		"killed": func(tree bool) {
			c := xtest.Helper(t, "cat")
			c.SetTree(tree)
			in, _ := c.StdinPipe()
			out, _ := c.StdoutPipe()
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			go io.Copy(io.Discard, out)
			go in.Write(make([]byte, 1<<20))
			c.Kill()
			c.Wait()
		},
		"dropped": func(tree bool) {
			c := xtest.Helper(t, "exit", "0")
			c.SetTree(tree)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for _, tree := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				round(tree)
				level := func() int { runtime.GC(); return testkit.Handles(t) }
				testkit.Eventually(t, "the first one's handles are closed", func() bool { level(); return true })
				before := level()
				for range rounds {
					round(tree)
				}
				testkit.Eventually(t, "the handles are closed", func() bool { return level() < before+rounds/2 })
			})
		}
	}
}

// WaitDelay bounds Wait also when it expires in the moment in which a read begins.
func TestWaitDelayBesideReads(t *testing.T) {
	rounds := 5
	if testkit.Long() {
		rounds = 250
	}
	for range rounds {
		c := xtest.Helper(t, "hold", testkit.HolderAddr(t), "say", "o:said")
		c.WaitDelay = 1 + rand.N(2*time.Millisecond)
		var out strings.Builder
		c.Stdout = &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "it has exited", func() bool { return c.Signal(syscall.SIGHUP) == os.ErrProcessDone })
		began := time.Now()
		if err := c.Wait(); err != xexec.ErrWaitDelay || out.String() != "said" {
			t.Errorf("Wait: %v, %q", err, &out)
		}
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("Wait took %v", d)
		}
	}
}
