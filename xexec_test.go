package xexec_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func TestAssignedOverAfterDone(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := xtest.Helper(t, "exit", "0")
	c.Done()
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	*c = *xtest.Helper(t, "exit", "3")
	if err := c.Std().Start(); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := c.Wait(); err == nil || err.Error() != "exit status 3" {
		t.Errorf("Wait: %v", err)
	}
}

// The struct of a command can be assigned over, as people do who restart one
// that is a field of theirs.
func TestStructAssignedOverIsAnotherCommand(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	var service struct{ cmd xexec.Cmd }
	for _, code := range []string{"3", "4"} {
		service.cmd = *xtest.Helper(t, "exit", code)
		if err := service.cmd.Wait(); err == nil || err.Error() != "exec: not started" {
			t.Errorf("Wait before the start: %v", err)
		}
		err := service.cmd.Run()
		if err == nil || service.cmd.ProcessState.String() != "exit status "+code {
			t.Errorf("Run: %v, want exit status %s", err, code)
		}
	}
}

// A struct that is moved takes its command with it, and what the place has then is
// not confused with that.
func TestStartedStructsThatAreMoved(t *testing.T) {
	for name, move := range map[string]func([]xexec.Cmd) []xexec.Cmd{
		"swapped":      func(c []xexec.Cmd) []xexec.Cmd { c[0], c[1] = c[1], c[0]; return c },
		"deleted":      func(c []xexec.Cmd) []xexec.Cmd { return slices.Delete(c, 0, 1) },
		"inserted":     func(c []xexec.Cmd) []xexec.Cmd { return slices.Insert(c, 0, xexec.Cmd{}) },
		"grown":        func(c []xexec.Cmd) []xexec.Cmd { return append(slices.Clip(c), xexec.Cmd{}) },
		"not at all":   func(c []xexec.Cmd) []xexec.Cmd { return c },
		"in the array": func(c []xexec.Cmd) []xexec.Cmd { a := [3]xexec.Cmd(c); return a[:] },
	} {
		for _, wait := range []string{"first", "last", "Done"} {
			t.Run(name+", "+wait, func(t *testing.T) {
				testkit.Deadline(t, testkit.Stuck)
				cmds := make([]xexec.Cmd, 3)
				codes := make(map[*os.Process]int)
				for i := range cmds {
					cmds[i] = *xtest.Helper(t, "exit", strconv.Itoa(i+3))
					if err := cmds[i].Start(); err != nil {
						t.Fatal(err)
					}
					codes[cmds[i].Process] = i + 3
				}
				gone := cmds[0] // as Delete does
				cmds = move(cmds)
				order := slices.Collect(maps.Keys(startedOf(cmds)))
				slices.Sort(order)
				if wait == "last" {
					slices.Reverse(order)
				}
				for _, i := range order {
					c := &cmds[i]
					if wait == "Done" {
						<-c.Done()
					}
					code, err := codes[c.Process], c.Wait()
					if c.ProcessState == nil || c.ProcessState.ExitCode() != code || err == nil || err.Error() != "exit status "+strconv.Itoa(code) {
						t.Errorf("at %d: %v, %v, want exit status %d", i, err, c.ProcessState, code)
					}
					delete(codes, c.Process)
					for i, c := range cmds[:cap(cmds)] {
						if c.ProcessState != nil && (c.Process == nil || codes[c.Process] != 0) {
							t.Errorf("at %d: %v of a command that nobody has waited for", i, c.ProcessState)
						}
					}
				}
				gone.Wait()
			})
		}
	}
}

// startedOf has those that were started, by their place.
func startedOf(cmds []xexec.Cmd) map[int]*xexec.Cmd {
	started := make(map[int]*xexec.Cmd)
	for i := range cmds {
		if cmds[i].Process != nil {
			started[i] = &cmds[i]
		}
	}
	return started
}

// global is not on the heap.
var global, globals = xexec.Cmd{}, struct{ a, b xexec.Cmd }{}

func TestCommandsThatAreNotOnTheHeap(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	for round := range 2 {
		for i, c := range []*xexec.Cmd{&global, &globals.a, &globals.b} {
			*c = *xtest.Helper(t, "exit", strconv.Itoa(i+3))
			c.SetOutputLimit(i)
			done := c.Done()
			if err := c.Start(); err != nil {
				t.Fatal(round, i, err)
			}
			<-done
			if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != i+3 {
				t.Errorf("%d, %d: %v", round, i, err)
			}
		}
	}
}

// A copy of a started struct is the same run, however it is come by.
func TestCopiesOfAStartedStruct(t *testing.T) {
	for name, elsewhere := range map[string]bool{"started here": false, "by os/exec": true} {
		t.Run(name, func(t *testing.T) {
			testkit.Deadline(t, testkit.Stuck)
			c := xtest.Helper(t, "serve", "7")
			stdin, err := c.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			start := c.Start
			if elsewhere {
				start = c.Std().Start
			}
			if err := start(); err != nil {
				t.Fatal(err)
			}
			c.Pid()
			one := *c
			two := one
			std := *c.Std()
			copies := []*xexec.Cmd{c, &one, &two, xexec.FromStd(&std)}
			for i, d := range copies {
				if d.Pid() != c.Pid() || d.Start() == nil || d.Std().Start() == nil {
					t.Errorf("copy %d: Pid %d, and it can be started", i, d.Pid())
				}
				if done, err := d.TryWait(); done || err != nil {
					t.Errorf("copy %d: TryWait: %v, %v", i, done, err)
				}
			}
			stdin.Close()
			if elsewhere { // each is os/exec's own
				c.Wait()
			}
			want := c.Wait()
			for i, d := range slices.Backward(copies) {
				err := d.Wait()
				if !elsewhere && (err != want || d.ProcessState != c.ProcessState) {
					t.Errorf("copy %d: Wait: %v, %v, want %v", i, err, d.ProcessState, want)
				}
				if err := d.Kill(); err != os.ErrProcessDone {
					t.Errorf("copy %d: Kill: %v", i, err)
				}
			}
		})
	}
}

// What is assigned over a struct is that command, whatever was asked of the old one.
func TestAssignedOverIsWhatItIs(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	before := map[string]func(c *xexec.Cmd){
		"run":                 func(c *xexec.Cmd) { c.Run() },
		"run by os/exec":      func(c *xexec.Cmd) { c.Std().Run(); c.Wait() },
		"failed":              func(c *xexec.Cmd) { c.Path = "/no such file"; c.Run() },
		"failed by os/exec":   func(c *xexec.Cmd) { c.Path = "/no such file"; c.Std().Run(); c.Wait() },
		"failed with Done":    func(c *xexec.Cmd) { c.Path = "/no such file"; done := c.Done(); c.Run(); <-done },
		"Done while it ran":   func(c *xexec.Cmd) { c.Start(); <-c.Done() },
		"shut down":           func(c *xexec.Cmd) { c.Start(); c.Shutdown(t.Context()); c.Wait() },
		"context had ended":   func(c *xexec.Cmd) { c.RunContext(testkit.Ended) },
		"settings refused it": func(c *xexec.Cmd) { c.SetGracePeriod(-1); c.Run() },
	}
	after := map[string]func(c *xexec.Cmd) error{
		"Run":           (*xexec.Cmd).Run,
		"RunContext":    func(c *xexec.Cmd) error { return c.RunContext(t.Context()) },
		"Done":          func(c *xexec.Cmd) error { done := c.Done(); c.Start(); <-done; return c.Wait() },
		"by os/exec":    func(c *xexec.Cmd) error { c.Std().Start(); return c.Wait() },
		"by assignment": func(c *xexec.Cmd) error { d := xtest.Helper(t, "exit", "0"); d.Start(); *c = *d; return c.Wait() },
	}
	for was, before := range before {
		for is, after := range after {
			c := xtest.Helper(t, "exit", "3")
			c.SetOutputLimit(5)
			c.SetGracePeriod(time.Hour)
			before(c)
			if c.ProcessState == nil && c.Process != nil {
				t.Errorf("%s: no ProcessState", was)
			}
			*c = *xtest.Helper(t, "exit", "0")
			if was == "failed by os/exec" {
				c.Pid() // nothing else tells it from a Start of os/exec's that was not over
			}
			if err := after(c); err != nil || !c.ProcessState.Success() {
				t.Errorf("%s, then %s: %v", was, is, err)
			}
			d := c.Clone()
			d.Args = slices.Replace(d.Args, 2, 4, "say", "o:more than five")
			if out, err := d.Output(); err != nil {
				t.Errorf("%s, then %s: the clone has the old settings: %q, %v", was, is, out, err)
			}
		}
	}
}

// As os/exec's methods, ours dereference a nil Cmd, which a caller can recover from.
func TestNilCmdPanics(t *testing.T) {
	std, x := reflect.TypeFor[*exec.Cmd](), reflect.TypeFor[*xexec.Cmd]()
	for m := range x.Methods() {
		if m.Name == "Std" {
			continue
		}
		args := []reflect.Value{reflect.Zero(x)}
		for in := range m.Type.Ins() {
			switch {
			case len(args) == 1 && in == x:
			case in == reflect.TypeFor[context.Context]():
				args = append(args, reflect.ValueOf(t.Context()))
			default:
				args = append(args, reflect.Zero(in))
			}
		}
		panics := func(call func()) (value any) {
			defer func() { value = recover() }()
			call()
			return nil
		}
		const want = "runtime error: invalid memory address or nil pointer dereference"
		got := panics(func() { m.Func.Call(args) })
		if err, ok := got.(runtime.Error); !ok || err.Error() != want {
			t.Errorf("%s of a nil Cmd: %v", m.Name, got)
		}
		if m, ok := std.MethodByName(m.Name); ok {
			if got := panics(func() { m.Func.Call([]reflect.Value{reflect.Zero(std)}) }); fmt.Sprint(got) != want {
				t.Errorf("os/exec's %s of a nil Cmd: %v", m.Name, got)
			}
		}
	}
	if (*xexec.Cmd)(nil).Std() != nil || xexec.FromStd(nil) != nil {
		t.Error("nil is not converted to nil")
	}
}
