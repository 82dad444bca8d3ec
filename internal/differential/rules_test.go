package differential_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() {
	testkit.Register("checknull", helperCheckNull)
	testkit.Register("leak", helperLeak)
	testkit.Register("nullstdio", helperNullStdio)
}

// helperNullStdio runs another helper command without standard files, in a
// process whose own are pipes.
func helperNullStdio(args []string) int {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	if err := xtest.PackageNamed(args[0]).Command(exe, testkit.HelperArg, "checknull", args[1]).Run(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// helperCheckNull reports to a file what its standard files are.
func helperCheckNull(args []string) int {
	var report strings.Builder
	null, _ := os.Stat(os.DevNull)
	for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		info, err := f.Stat()
		same := err == nil && info.Mode()&os.ModeCharDevice != 0
		if runtime.GOOS != "windows" {
			same = same && os.SameFile(info, null)
		}
		fmt.Fprintf(&report, "%t ", same)
	}
	in, err := io.ReadAll(os.Stdin)
	_, outErr := io.WriteString(os.Stdout, "inherited")
	_, errErr := io.WriteString(os.Stderr, "inherited")
	fmt.Fprintf(&report, "%q %v %v %v", in, err, outErr, errErr)
	if err := os.WriteFile(args[0], []byte(report.String()), 0o666); err != nil {
		return 1
	}
	return 0
}

// helperLeak starts a command and drops it.
func helperLeak(args []string) int {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	func() {
		if err := xtest.PackageNamed(args[0]).Command(exe, testkit.HelperArg, "exit", "0").Start(); err != nil {
			panic(err)
		}
	}()
	for end := time.Now().Add(testkit.Stuck / 4); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		runtime.GC() // which ends the process, at a moment of its own choice
	}
	return 0
}

func TestNilStdioIsTheNullDeviceAndNotInherited(t *testing.T) {
	t.Parallel()
	testkit.NeedHelper(t, "checknull")
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		report := filepath.Join(t.TempDir(), "report")
		outer := testkit.Command(t, "nullstdio", p.Name, report)
		outer.Stdin = strings.NewReader("not for the child")
		out, err := outer.CombinedOutput()
		if len(out) != 0 || err != nil {
			t.Errorf("%q, %v", out, err)
		}
		got, err := os.ReadFile(report)
		if want := `true true true "" <nil> <nil> <nil>`; string(got) != want {
			t.Errorf("%s, want %s (%v)", got, want, err)
		}
	})
}

func TestWaitClosesStdinPipe(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		c := p.Helper(t, "exit", "0")
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(in, "late"); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a write after Wait: %v", err)
		}
	})
}

func TestCopyErrorsComeOutOfWait(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		for what, set := range map[string]func(c *exec.Cmd){
			"Stdin":  func(c *exec.Cmd) { c.Stdin = iotest.ErrReader(testkit.ErrBroken) },
			"Stdout": func(c *exec.Cmd) { c.Stdout = &testkit.FailingWriter{} },
			"Stderr": func(c *exec.Cmd) { c.Stderr = &testkit.FailingWriter{} },
		} {
			c := p.Helper(t, "say", "o:out", "e:err")
			set(c.Std())
			if err := c.Run(); err != testkit.ErrBroken {
				t.Errorf("%s: %v", what, err)
			}
			if !c.Std().ProcessState.Success() {
				t.Errorf("%s: %v", what, c.Std().ProcessState)
			}
			c = p.Helper(t, "say", "o:out", "e:err", "x:3")
			set(c.Std())
			if err, ok := c.Run().(*exec.ExitError); !ok || err.ExitCode() != 3 {
				t.Errorf("%s and exit 3: %v", what, err)
			}
		}
	})
}

func TestFirstOfSeveralCopyErrorsWins(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		// The second fails when the goroutine of the first has ended, and
		// with that its error is known.
		first := make(chan string, 1)
		c := p.Helper(t, "say", "o:out", "e:err")
		c.Std().Stdout = writerFunc(func([]byte) (int, error) {
			first <- goroutineName()
			return 0, errors.New("the first")
		})
		c.Std().Stderr = writerFunc(func([]byte) (int, error) {
			for name := <-first; strings.Contains(testkit.Stacks(), name); {
				time.Sleep(time.Millisecond)
			}
			return 0, errors.New("the second")
		})
		if err := c.Run(); err == nil || err.Error() != "the first" {
			t.Error(err)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// goroutineName returns how the stack of the caller begins.
func goroutineName() string {
	var b [64]byte
	name, _, _ := strings.Cut(string(b[:runtime.Stack(b[:], false)]), "[")
	return name + "["
}

func TestOutputOfFailedCommandIsReturned(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		out, err := p.Helper(t, "say", "o:some", "e:err", "x:3").Output()
		if exit, ok := err.(*exec.ExitError); !ok || string(out) != "some" || string(exit.Stderr) != "err" {
			t.Errorf("Output: %q, %v", out, err)
		}
		out, err = p.Helper(t, "say", "o:some", "e:err", "x:3").CombinedOutput()
		if _, ok := err.(*exec.ExitError); !ok || string(out) != "someerr" {
			t.Errorf("CombinedOutput: %q, %v", out, err)
		}
	})
}

func TestExitErrorHasStderrOnlyIfStderrWasNil(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		stderrOf := func(err error) []byte {
			exit, ok := err.(*exec.ExitError)
			if !ok {
				t.Fatal(err)
			}
			return exit.Stderr
		}
		command := func() xtest.Command { return p.Helper(t, "say", "e:err", "x:3") }
		if _, err := command().Output(); string(stderrOf(err)) != "err" {
			t.Errorf("Output: %q", stderrOf(err))
		}
		c := command()
		var b bytes.Buffer
		c.Std().Stderr = &b
		if _, err := c.Output(); stderrOf(err) != nil || b.String() != "err" {
			t.Errorf("Output with Stderr: %q, %q", stderrOf(err), b.String())
		}
		if _, err := command().CombinedOutput(); stderrOf(err) != nil {
			t.Errorf("CombinedOutput: %q", stderrOf(err))
		}
		if err := command().Run(); stderrOf(err) != nil {
			t.Errorf("Run: %q", stderrOf(err))
		}
	})
}

func TestEmptyEnvIsNotInherited(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		c := p.Helper(t, "environ")
		c.Std().Env = []string{}
		out, err := c.Output()
		if runtime.GOOS == "windows" {
			// It always has a few. TestMain has set this one.
			if len(out) == 0 || strings.Contains(string(out), "NoDefaultCurrentDirectoryInExePath") {
				t.Errorf("%s, %v", out, err)
			}
		} else if len(out) != 0 || err != nil {
			t.Errorf("%s, %v", out, err)
		}
	})
}

func TestEnvEntriesWithoutEqualsSignAreKept(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		c := p.Helper(t, "environ")
		c.Std().Env = []string{"A=1", "bare", "B=2"}
		if env := c.Environ(); !slices.Equal(env[:3], c.Std().Env) {
			t.Errorf("Environ: %q", env)
		}
		if runtime.GOOS == "windows" {
			return // There the child's own runtime leaves them out.
		}
		if out, err := c.Output(); string(out) != "\"A=1\"\n\"bare\"\n\"B=2\"\n" {
			t.Errorf("%s, %v", out, err)
		}
	})
}

func TestEnvironReturnsACopy(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		c := p.Command("name")
		c.Std().Env = []string{"A=1", "B=2"}
		c.Environ()[0] = "changed"
		if env := c.Std().Env; !slices.Equal(env, []string{"A=1", "B=2"}) {
			t.Errorf("Env: %q", env)
		}
		c.Std().Env = nil
		c.Environ()
		if c.Std().Env != nil {
			t.Error("Environ sets Env")
		}
	})
}

// Not parallel: it sets PATH.
func TestFirstArgumentStaysTheNameGiven(t *testing.T) {
	exe, argv := testkit.NeedHelper(t, "whoami")
	dir, name := filepath.Split(exe)
	t.Setenv("PATH", dir)
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		c := p.Command(name, argv...)
		if c.Std().Path != exe || c.Std().Args[0] != name {
			t.Errorf("Path %q, Args %q", c.Std().Path, c.Std().Args)
		}
		if out, err := c.Output(); !strings.Contains(string(out), "["+name+" ") {
			t.Errorf("the child is %s, %v", out, err)
		}
	})
}

func TestEmptyArgsBecomeThePath(t *testing.T) {
	t.Parallel()
	exe, _ := testkit.NeedHelper(t, "whoami")
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		for _, args := range [][]string{nil, {}} {
			c := p.From(&exec.Cmd{Path: exe, Args: args, Env: append(os.Environ(), testkit.HelperEnv+"=whoami")})
			if out, err := c.Output(); !strings.Contains(string(out), "["+exe+"]") {
				t.Errorf("the child is %s, %v", out, err)
			}
		}
	})
}

func TestFileAsStdinIsPassedDirectly(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		io.WriteString(f, "child and parent")
		f.Seek(0, io.SeekStart)
		c := p.Helper(t, "readsome", "5")
		c.Std().Stdin = f
		out, err := c.Output()
		if string(out) != "child" || err != nil {
			t.Errorf("the child has read %q, %v", out, err)
		}
		// One open file has one offset.
		if rest, err := io.ReadAll(f); string(rest) != " and parent" {
			t.Errorf("left %q, %v", rest, err)
		}
	})
}

// A countingWriter and a countingReader can do better than Write and Read.
type countingWriter struct {
	bytes.Buffer
	readFrom int
}

func (w *countingWriter) ReadFrom(r io.Reader) (int64, error) {
	w.readFrom++
	return w.Buffer.ReadFrom(r)
}

type countingReader struct {
	strings.Reader
	writeTo int
}

func (r *countingReader) WriteTo(w io.Writer) (int64, error) {
	r.writeTo++
	return r.Reader.WriteTo(w)
}

func TestReadFromAndWriteToAreUsed(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		in, out, errOut := new(countingReader), new(countingWriter), new(countingWriter)
		in.Reset("some")
		c := p.Helper(t, "cat")
		c.Std().Stdin, c.Std().Stdout, c.Std().Stderr = in, out, errOut
		if err := c.Run(); err != nil || out.String() != "some" {
			t.Errorf("%q, %v", out, err)
		}
		if in.writeTo != 1 || out.readFrom != 1 || errOut.readFrom != 1 {
			t.Errorf("WriteTo of Stdin called %d times, ReadFrom of Stdout %d, of Stderr %d",
				in.writeTo, out.readFrom, errOut.readFrom)
		}
	})
}

func TestExecwaitCatchesLeakedCommand(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		c := testkit.Command(t, "leak", p.Name)
		c.Env = append(os.Environ(), "GODEBUG=execwait=1")
		out, err := c.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "panic: exec: Cmd started a Process but leaked without a call to Wait") {
			t.Errorf("%v: %s", err, out)
		}
	})
}
