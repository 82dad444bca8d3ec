package xexec_test

import (
	"context"
	"errors"
	"fmt"
	"go/token"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/xexec"
)

// A command is what the commands of os/exec and xexec have in common; std
// gives access to the fields.
type command interface {
	CombinedOutput() ([]byte, error)
	Environ() []string
	Output() ([]byte, error)
	Run() error
	Start() error
	StderrPipe() (io.ReadCloser, error)
	StdinPipe() (io.WriteCloser, error)
	StdoutPipe() (io.ReadCloser, error)
	String() string
	Wait() error
	std() *exec.Cmd
}

type stdCommand struct{ *exec.Cmd }

func (c stdCommand) std() *exec.Cmd { return c.Cmd }

type xCommand struct{ *xexec.Cmd }

func (c xCommand) std() *exec.Cmd { return (*exec.Cmd)(c.Cmd) }

// An execPackage is os/exec or xexec, so that a test is written once and held
// against both.
type execPackage struct {
	name           string
	command        func(name string, arg ...string) command
	commandContext func(ctx context.Context, name string, arg ...string) command
	from           func(*exec.Cmd) command // a literal or a copy
	lookPath       func(file string) (string, error)
}

var (
	stdPackage = execPackage{
		name:    "std",
		command: func(name string, arg ...string) command { return stdCommand{exec.Command(name, arg...)} },
		commandContext: func(ctx context.Context, name string, arg ...string) command {
			return stdCommand{exec.CommandContext(ctx, name, arg...)}
		},
		from:     func(c *exec.Cmd) command { return stdCommand{c} },
		lookPath: exec.LookPath,
	}
	xPackage = execPackage{
		name:    "xexec",
		command: func(name string, arg ...string) command { return xCommand{xexec.Command(name, arg...)} },
		commandContext: func(ctx context.Context, name string, arg ...string) command {
			return xCommand{xexec.CommandContext(ctx, name, arg...)}
		},
		from:     func(c *exec.Cmd) command { return xCommand{(*xexec.Cmd)(c)} },
		lookPath: xexec.LookPath,
	}
)

// packageNamed is how a helper command is told what to use.
func packageNamed(name string) execPackage {
	if name == stdPackage.name {
		return stdPackage
	}
	return xPackage
}

func (p execPackage) helper(t testing.TB, name string, args ...string) command {
	t.Helper()
	exe, argv := needHelper(t, name, args...)
	return p.command(exe, argv...)
}

func (p execPackage) helperContext(ctx context.Context, t testing.TB, name string, args ...string) command {
	t.Helper()
	exe, argv := needHelper(t, name, args...)
	return p.commandContext(ctx, exe, argv...)
}

// both runs a test that must hold with os/exec and with xexec.
func both(t *testing.T, test func(t *testing.T, p execPackage)) {
	for _, p := range []execPackage{stdPackage, xPackage} {
		t.Run(p.name, func(t *testing.T) {
			deadline(t, stuck)
			test(t, p)
		})
	}
}

// The helper commands that many tests use.
func init() {
	registerHelper("exit", func(args []string) int { return atoi(args[0]) })
	registerHelper("cat", helperCat)
	registerHelper("say", helperSay)
	registerHelper("serve", helperServe)
	registerHelper("hold", helperHold)
	registerHelper("holder", helperHolder)
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

// helperCat copies its input, then exits with the code it is given.
func helperCat(args []string) int {
	if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if len(args) > 0 {
		return atoi(args[0])
	}
	return 0
}

// helperSay writes arguments of the form o:text and e:text to its output and
// error output, and exits with the code in one of the form x:code. At r: it waits
// for a byte of its input, or the end; at d: until what it has written was read,
// where it can find that out.
func helperSay(args []string) (code int) {
	for _, arg := range args {
		switch text := arg[2:]; arg[:2] {
		case "o:":
			io.WriteString(os.Stdout, text)
		case "e:":
			io.WriteString(os.Stderr, text)
		case "r:":
			os.Stdin.Read(make([]byte, 1))
		case "d:":
			awaitReader(os.Stdout)
			awaitReader(os.Stderr)
		case "x:":
			code = atoi(text)
		}
	}
	return code
}

// helperServe says that it is ready, and exits with the code it is given when
// its input ends.
func helperServe(args []string) int {
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return atoi(args[0])
}

// helperHold starts a process that keeps the output open until the connection
// to the address ends, then goes on as another helper command.
func helperHold(args []string) int {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	holder := exec.Command(exe, helperArg, "holder", args[0])
	holder.Stdout, holder.Stderr = os.Stdout, os.Stderr
	if err := holder.Start(); err != nil {
		panic(err)
	}
	return helpers[args[1]](args[2:])
}

func helperHolder(args []string) int {
	conn, err := net.Dial("tcp", args[0])
	if err != nil {
		return 1
	}
	io.Copy(io.Discard, conn)
	return 0
}

// holderAddr returns the address for the helper command "hold". What it leaves
// behind ends with the test.
func holderAddr(t testing.TB) string {
	t.Helper()
	needHelper(t, "holder")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	over := make(chan struct{})
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				<-over
				conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		close(over)
		l.Close()
		conns.Wait()
	})
	return l.Addr().String()
}

// A readyWriter collects what a command writes, and tells of the first write.
type readyWriter struct {
	mu    sync.Mutex
	data  []byte
	ready chan struct{}
	once  sync.Once
}

func newReadyWriter() *readyWriter { return &readyWriter{ready: make(chan struct{})} }

func (w *readyWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	w.data = append(w.data, b...)
	w.mu.Unlock()
	w.once.Do(func() { close(w.ready) })
	return len(b), nil
}

func (w *readyWriter) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.data)
}

// A report is what a test can see of one package, line by line.
type report struct {
	testing.TB
	dir   string // the same for both packages, and empty at first
	files []*os.File
	lines []string
}

func (r *report) note(what string, v any) {
	r.lines = append(r.lines, fmt.Sprintf("%s: %+q", what, fmt.Sprint(v)))
}

// err notes all that a program can find out about an error.
func (r *report) err(what string, err error) {
	r.note(what, describe(err))
}

// run runs the command and notes its error and state.
func (r *report) run(c command) {
	r.err("Run", c.Run())
	r.state(c)
}

// wait waits for the command and notes its error and state.
func (r *report) wait(c command) {
	r.err("Wait", c.Wait())
	r.state(c)
}

func (r *report) start(c command) (ok bool) {
	err := c.Start()
	r.err("Start", err)
	return err == nil
}

// output runs the command and notes its output, error and state.
func (r *report) output(c command) {
	out, err := c.Output()
	r.note("output", string(out))
	r.err("Output", err)
	r.state(c)
}

func (r *report) state(c command) {
	s := c.std().ProcessState
	if s == nil {
		r.note("ProcessState", nil)
		return
	}
	r.note("ProcessState", fmt.Sprintf("%v code %d exited %t success %t sys %v own pid %t",
		s, s.ExitCode(), s.Exited(), s.Success(), s.Sys(), s.Pid() == c.std().Process.Pid))
}

// panics notes whether f panics, and with what.
func (r *report) panics(what string, f func()) {
	defer func() { r.note(what, recover()) }()
	f()
}

// sentinels are the errors that programs ask for.
var sentinels = map[string]error{
	"ErrDot": exec.ErrDot, "ErrNotFound": exec.ErrNotFound, "ErrWaitDelay": exec.ErrWaitDelay,
	"Canceled": context.Canceled, "DeadlineExceeded": context.DeadlineExceeded,
	"ErrProcessDone": os.ErrProcessDone, "ErrNotExist": os.ErrNotExist, "ErrPermission": os.ErrPermission,
	"ErrClosed": os.ErrClosed, "ErrShortWrite": io.ErrShortWrite,
}

// describe renders the text of an error, its types, what it is and what an
// ExitError says.
func describe(err error) string {
	if err == nil {
		return "nil"
	}
	s := []string{fmt.Sprintf("%q", err)}
	for e := err; e != nil; e = errors.Unwrap(e) {
		s = append(s, typeName(e))
	}
	is := []string{}
	for name, target := range sentinels {
		if errors.Is(err, target) {
			is = append(is, name)
		}
	}
	slices.Sort(is)
	s = append(s, is...)
	if exit, ok := err.(*exec.ExitError); ok {
		s = append(s, fmt.Sprintf("code %d stderr nil %t %q", exit.ExitCode(), exit.Stderr == nil, exit.Stderr))
	}
	return strings.Join(s, " ")
}

// typeName names a type that programs can name. The others are alike to them.
func typeName(err error) string {
	t := reflect.TypeOf(err)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !token.IsExported(t.Name()) {
		return "(unexported)"
	}
	return fmt.Sprintf("%T", err)
}

// A diffCase is a program that runs under both packages.
type diffCase struct {
	name string
	// shows is a part of the report of os/exec, so that a case that has
	// come to compare nothing fails. Texts are those of Unix.
	shows string
	run   func(r *report, p execPackage)
}

// compare runs the case under both packages, and the reports must be equal.
func (d diffCase) compare(t *testing.T) {
	if !canStartProcesses() {
		t.Skipf("%s cannot start processes", runtime.GOOS)
	}
	if runtime.GOOS == "plan9" {
		t.Skip("the texts of exit errors contain the pid")
	}
	deadline(t, stuck)
	dir := filepath.Join(t.TempDir(), "dir")
	observe := func(p execPackage) string {
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		r := &report{TB: t, dir: dir}
		d.run(r, p)
		for _, f := range r.files {
			f.Close()
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		return strings.Join(r.lines, "\n")
	}
	std, x := observe(stdPackage), observe(xPackage)
	if std != x {
		t.Errorf("os/exec:\n%s\nxexec:\n%s", std, x)
	}
	unixTexts := runtime.GOOS != "windows" && runtime.GOOS != "plan9"
	if unixTexts && !strings.Contains(std, d.shows) || std == "" {
		t.Errorf("os/exec does not show %q any more:\n%s", d.shows, std)
	}
}

// startReady starts a command that says when it is ready, and waits for that.
func startReady(t testing.TB, c command) {
	t.Helper()
	w := newReadyWriter()
	c.std().Stdout = w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.ready:
	case <-time.After(stuck / 2):
		c.std().Process.Kill()
		t.Fatal("the command does not become ready")
	}
}
