package oscmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/xexec/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// fields are those of the os/exec that this package was written for, and who knows
// each: the package, as one that a start or a wait writes, or nobody, as it is the
// caller's configuration.
var fields = map[string]string{
	"Path": "configuration", "Args": "configuration", "Env": "configuration", "Dir": "configuration",
	"Stdin": "configuration", "Stdout": "configuration", "Stderr": "configuration",
	"ExtraFiles": "configuration", "SysProcAttr": "configuration", "Err": "configuration",
	"Cancel": "configuration", "WaitDelay": "configuration",
	"ctx": "configuration", "lookPathErr": "configuration", "cachedLookExtensions": "configuration",

	"Process": "run", "ProcessState": "run", "startCalled": "run", "createdByStack": "run",
	"childIOFiles": "run", "parentIOPipes": "run",
	"goroutine": "run", "goroutineErr": "run", "ctxResult": "run",
}

// A field that this package does not know may belong to a run, and Copy would copy it.
func TestEveryFieldIsKnown(t *testing.T) {
	std := reflect.TypeFor[exec.Cmd]()
	for i := range std.NumField() {
		name := std.Field(i).Name
		if fields[name] == "" {
			t.Errorf("exec.Cmd has a field %s: is it configuration, or a run's (ofARun)?", name)
		}
		if slices.Contains(ofARun, name) != (fields[name] == "run") {
			t.Errorf("%s: ofARun has it: %v", name, slices.Contains(ofARun, name))
		}
	}
	for name, known := range map[string]bool{
		"ctx": ctx.known, "startCalled": startCalled.known, "childIOFiles": childIOFiles.known,
		"parentIOPipes": parentIOPipes.known, "goroutineErr": goroutineErr.known,
	} {
		if !known {
			t.Errorf("exec.Cmd has no field %s of the type that is expected", name)
		}
	}
	if f, ok := std.FieldByName("ctxResult"); !ok || f.Type.Kind() != reflect.Chan {
		t.Error("exec.Cmd has no channel ctxResult")
	}
}

// without makes the package believe, while f runs, that os/exec lacks a field.
func without[T any](f *field[T], do func()) {
	defer func(was field[T]) { *f = was }(*f)
	*f = find[T]("no such field")
	do()
}

func TestFieldOfAnotherType(t *testing.T) {
	if f := find[int]("Path"); f.known || f.of(new(exec.Cmd)) != nil || f.get(new(exec.Cmd)) != 0 {
		t.Error("a string was taken for an int")
	}
}

func TestContext(t *testing.T) {
	made, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := exec.CommandContext(made, "name")
	copied := *c
	if Context(c) != made || Context(&copied) != made || Context(exec.Command("name")) != nil || Context(new(exec.Cmd)) != nil {
		t.Error("not the context that the command was made with")
	}
	without(&ctx, func() {
		if Context(c) != nil {
			t.Error("a context, without the field")
		}
	})
}

func TestClaim(t *testing.T) {
	c := exec.Command("./no such file")
	if !Unclaimed(c) || !Claim(c) || Claim(c) || Unclaimed(c) {
		t.Error("not claimed once")
	}
	if err := c.Start(); err == nil || err.Error() != "exec: already started" {
		t.Errorf("Start of what was claimed: %v", err)
	}
	c = exec.Command("./no such file")
	c.Start()
	if Unclaimed(c) || Claim(c) {
		t.Error("claimed after a Start")
	}
	without(&startCalled, func() {
		c := exec.Command("name")
		if Unclaimed(c) || !Claim(c) || !Claim(c) {
			t.Error("without the field: a command without a process cannot be claimed")
		}
		c.Process = new(os.Process)
		if Claim(c) {
			t.Error("without the field: a command with a process was claimed")
		}
	})
}

// A closer counts its calls.
type closer struct{ closed int }

func (c *closer) Close() error { c.closed++; return nil }

func TestPipesReplacePipeAndHold(t *testing.T) {
	c := testkit.Command(t, "cat")
	stdin, err1 := c.StdinPipe()
	stdout, err2 := c.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	child, parent := ChildEnds(c), ParentEnds(c)
	if len(child) != 2 || any(child[0]) != any(c.Stdin) || any(child[1]) != any(c.Stdout) || len(parent) != 2 || any(parent[0]) != any(stdin) || any(parent[1]) != any(stdout) {
		t.Fatalf("Pipes: %v, %v", child, parent)
	}
	copied, end := *c, new(closer)
	ReplacePipe(c, stdout, end)
	ReplacePipe(c, new(closer), new(closer)) // is none of its
	if parent := ParentEnds(c); len(parent) != 2 || any(parent[0]) != any(stdin) || parent[1] != end {
		t.Errorf("after ReplacePipe: %v", parent)
	}
	if parent := ParentEnds(&copied); any(parent[1]) != any(stdout) {
		t.Errorf("ReplacePipe has changed the list of a copy: %v", parent)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	if b, err := io.ReadAll(stdout); len(b) != 0 || err != nil {
		t.Error(b, err)
	}
	if err := c.Wait(); err != nil || end.closed != 1 {
		t.Errorf("Wait: %v, and closed the end %d times", err, end.closed)
	}
	stdout.Close()
	held := new(closer)
	if !Hold(c, held) {
		t.Error("Hold: false")
	}
	if parent := ParentEnds(c); len(parent) != 1 || parent[0] != held {
		t.Errorf("after Hold: %v", parent)
	}

	without(&parentIOPipes, func() {
		if Hold(c, held) {
			t.Error("Hold: true, without the field")
		}
		ReplacePipe(c, held, end)
		if parent := ParentEnds(c); parent != nil {
			t.Errorf("parent's ends, without the field: %v", parent)
		}
	})
	without(&childIOFiles, func() {
		if child := ChildEnds(&copied); child != nil {
			t.Errorf("child's ends, without the field: %v", child)
		}
	})
}

func TestWaitMayBlock(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, test := range map[string]struct {
		prepare func(c *exec.Cmd)
		want    bool
	}{
		"files only":           {func(c *exec.Cmd) { c.Cancel = nil }, false},
		"files, and a context": {func(c *exec.Cmd) {}, true},
		"a Writer":             {func(c *exec.Cmd) { c.Cancel, c.Stdout = nil, new(bytes.Buffer) }, true},
	} {
		c := testkit.CommandContext(ctx, t, "exit", "0")
		test.prepare(c)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if got := WaitMayBlock(c); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
		without(&goroutineErr, func() {
			if !WaitMayBlock(c) {
				t.Errorf("%s: false, without the field", name)
			}
		})
		c.Wait()
	}
}

// Copy has all of the configuration and nothing of the run.
func TestCopy(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := testkit.CommandContext(ctx, t, "exit", "0")
	c.Env, c.Dir, c.Stdin, c.Stdout, c.WaitDelay = os.Environ(), "/", strings.NewReader(""), io.Discard, time.Minute
	if runtime.GOOS != "windows" { // where a process can have none
		c.ExtraFiles = []*os.File{os.Stdin}
	}
	c.Err = nil
	if _, err := c.StderrPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	d := Copy(c)
	was, is := reflect.ValueOf(c).Elem(), reflect.ValueOf(d).Elem()
	for name, whose := range fields {
		f := is.FieldByName(name)
		switch {
		case !f.IsValid():
		case whose == "run" && !f.IsZero():
			t.Errorf("the copy has %s", name)
		case whose == "configuration" && f.IsZero() != was.FieldByName(name).IsZero():
			t.Errorf("the copy has not %s", name)
		}
	}
	if Context(d) != ctx || !Unclaimed(d) || d.Path != c.Path || d.Stdin != c.Stdin || &d.Args[0] != &c.Args[0] {
		t.Errorf("Copy: %v", d)
	}
	d.Stderr = nil
	if err := d.Run(); err != nil {
		t.Errorf("the copy cannot be run: %v", err)
	}
}

// A Wait of os/exec's that comes to the copying when another has had its result does not
// wait for ever.
func TestWaitTellsAnother(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	c := testkit.Command(t, "say", "o:something")
	var out bytes.Buffer
	c.Stdout = io.MultiWriter(&out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	another := *c
	if state, err := Wait(c); !state.Success() || err != nil || out.String() != "something" {
		t.Errorf("%v, %v, %q", state, err, out.String())
	}
	if err := another.Wait(); err == nil {
		t.Error("the status was taken twice")
	}
	if _, err := Wait(c); err == nil || err.Error() != "exec: Wait was already called" {
		t.Errorf("once more: %v", err)
	}
}
