package differential_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

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
	r.note(what, testkit.Describe(err))
}

// run runs the command and notes its error and state.
func (r *report) run(c xtest.Command) {
	r.err("Run", c.Run())
	r.state(c)
}

// wait waits for the command and notes its error and state.
func (r *report) wait(c xtest.Command) {
	r.err("Wait", c.Wait())
	r.state(c)
}

func (r *report) start(c xtest.Command) (ok bool) {
	err := c.Start()
	r.err("Start", err)
	return err == nil
}

// output runs the command and notes its output, error and state.
func (r *report) output(c xtest.Command) {
	out, err := c.Output()
	r.note("output", string(out))
	r.err("Output", err)
	r.state(c)
}

func (r *report) state(c xtest.Command) {
	s := c.Std().ProcessState
	if s == nil {
		r.note("ProcessState", nil)
		return
	}
	r.note("ProcessState", fmt.Sprintf("%v code %d exited %t success %t sys %v own pid %t",
		s, s.ExitCode(), s.Exited(), s.Success(), s.Sys(), s.Pid() == c.Std().Process.Pid))
}

// panics notes whether f panics, and with what.
func (r *report) panics(what string, f func()) {
	defer func() { r.note(what, recover()) }()
	f()
}

// A diffCase is a program that runs under both packages.
type diffCase struct {
	name string
	// shows is a part of the report of os/exec, so that a case that has
	// come to compare nothing fails. Texts are those of Unix.
	shows string
	run   func(r *report, p xtest.Package)
}

// compare runs the case under both packages, and the reports must be equal.
func (d diffCase) compare(t *testing.T) {
	if !testkit.CanStartProcesses() {
		t.Skipf("%s cannot start processes", runtime.GOOS)
	}
	if runtime.GOOS == "plan9" {
		t.Skip("the texts of exit errors contain the pid")
	}
	testkit.Deadline(t, testkit.Stuck)
	dir := filepath.Join(t.TempDir(), "dir")
	observe := func(p xtest.Package) string {
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
	std, x := observe(xtest.Std), observe(xtest.X)
	if std != x {
		t.Errorf("os/exec:\n%s\nxexec:\n%s", std, x)
	}
	unixTexts := runtime.GOOS != "windows" && runtime.GOOS != "plan9"
	if unixTexts && !strings.Contains(std, d.shows) || std == "" {
		t.Errorf("os/exec does not show %q any more:\n%s", d.shows, std)
	}
}
