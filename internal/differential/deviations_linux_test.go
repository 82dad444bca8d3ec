package differential_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/xexec"
	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() {
	testkit.Register("inodes", helperInodes)
	testkit.Register("mark", helperMark)
}

// helperInodes prints what its input and output are.
func helperInodes([]string) int {
	fmt.Fprintln(os.Stdout, inodeOf(os.Stdin.Fd()), inodeOf(os.Stdout.Fd()))
	return 0
}

func inodeOf(fd uintptr) uint64 {
	var st unix.Stat_t
	if err := unix.Fstat(int(fd), &st); err != nil {
		return 0
	}
	return st.Ino
}

// helperMark says which of its standard descriptors are marked, then marks
// them or takes the mark away. The mark is a status flag, which belongs to the
// open file: two processes see the same one if they share one open file.
func helperMark(args []string) int {
	for fd := range 3 {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			return 1
		}
		fmt.Fprint(os.NewFile(3, "report"), flags&unix.O_APPEND != 0, " ")
		if flags &^= unix.O_APPEND; args[0] == "set" {
			flags |= unix.O_APPEND
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags); err != nil {
			return 1
		}
	}
	return 0
}

// Deviation 3: although it is no *os.File, no copying goroutine and second
// pipe come between the two commands.
func TestStdoutPipeIsPassedOnAsDescriptor(t *testing.T) {
	t.Parallel()
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		first, second := p.Helper(t, "say"), p.Helper(t, "inodes")
		pipe, err := first.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		want := inodeOf(pipe.(interface{ Fd() uintptr }).Fd())
		second.Std().Stdin = pipe
		if err := first.Start(); err != nil {
			t.Fatal(err)
		}
		out, err := second.Output()
		if err != nil {
			t.Error(err)
		}
		if err := first.Wait(); err != nil {
			t.Error(err)
		}
		if got := strings.Fields(string(out))[0]; got != fmt.Sprint(want) {
			t.Errorf("the input is inode %s, the pipe %d", got, want)
		}
	})
}

// Deviation 5. Not parallel: the signal must come from the child it expects.
func TestStartRetriesTextFileBusy(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	exe := filepath.Join(t.TempDir(), "prog")
	if err := os.WriteFile(exe, []byte("#!/bin/sh\nexit 3\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	// The executable is written to until the first child that could not
	// execute it has ended.
	busy := func(start func() error) error {
		f, err := os.OpenFile(exe, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		failed := make(chan os.Signal, 1)
		signal.Notify(failed, syscall.SIGCHLD)
		defer signal.Stop(failed)
		closed, over := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(closed)
			select {
			case <-failed:
			case <-over:
			}
			f.Close()
		}()
		err = start()
		close(over)
		<-closed
		return err
	}

	// (A late signal of an earlier child would close the file too early.)
	var std *exec.Cmd
	stdErr := error(nil)
	for tries := 0; stdErr == nil && tries < 5; tries++ {
		std = exec.Command(exe)
		if stdErr = busy(std.Start); stdErr == nil {
			std.Wait()
		}
	}
	if !errors.Is(stdErr, syscall.ETXTBSY) {
		t.Errorf("os/exec: %v", stdErr)
	}
	if err := std.Start(); err == nil || err.Error() != "exec: already started" {
		t.Errorf("os/exec: a second Start: %v", err)
	}

	// Start may have given up by the time that a busy machine gets to closing the
	// file; but not always.
	var err error
	for end := time.Now().Add(testkit.Stuck / 4); time.Now().Before(end); {
		c := xtest.X.Command(exe)
		if err = busy(c.Start); err == nil {
			if err := c.Wait(); err == nil || err.Error() != "exit status 3" {
				t.Errorf("after the retry: %v", err)
			}
			return
		}
		if !errors.Is(err, syscall.ETXTBSY) {
			break
		}
	}
	t.Error(err)
}

// Deviation 5.
func TestStartOfFileBeingWrittenFails(t *testing.T) {
	t.Parallel()
	exe := filepath.Join(t.TempDir(), "prog")
	f, err := os.OpenFile(exe, os.O_WRONLY|os.O_CREATE, 0o777)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	io.WriteString(f, "#!/bin/sh\n")
	xtest.Both(t, func(t *testing.T, p xtest.Package) {
		c := p.Command(exe)
		if err := c.Start(); !errors.Is(err, syscall.ETXTBSY) {
			t.Errorf("Start: %v", err)
		}
		if c.Std().Process != nil {
			t.Error("Process is set")
		}
	})
}

// Deviation 7.
func TestCommandThatEndedIsNotBlamedOnTheContext(t *testing.T) {
	t.Parallel()
	run := func(p xtest.Package) (cancelErr, waitErr error) {
		testkit.Deadline(t, testkit.Stuck)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := p.HelperContext(ctx, t, "exit", "0")
		// The default Cancel, and a note of what it returned.
		called := make(chan error, 1)
		kill := c.Std().Cancel
		c.Std().Cancel = func() error {
			err := kill()
			called <- err
			return err
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		testkit.WaitForExit(t, c.Std().Process.Pid)
		cancel()
		cancelErr = <-called
		return cancelErr, c.Wait()
	}
	if cancelErr, waitErr := run(xtest.Std); cancelErr != nil || waitErr != context.Canceled {
		t.Errorf("os/exec: Cancel: %v, Wait: %v", cancelErr, waitErr)
	}
	if cancelErr, waitErr := run(xtest.X); cancelErr != os.ErrProcessDone || waitErr != nil {
		t.Errorf("Cancel: %v, Wait: %v", cancelErr, waitErr)
	}
}

// Deviation 8: they are not opened for each command and kept.
func TestNullDeviceTakesTwoDescriptors(t *testing.T) {
	before := descriptorsOfNull()
	for range 5 {
		c := xtest.Helper(t, "exit", "0")
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
	}
	if n := descriptorsOfNull(); n > before+2 {
		t.Errorf("%d descriptors of the null device, %d before", n, before)
	}
}

func descriptorsOfNull() (n int) {
	for _, target := range testkit.TakeStock().Files {
		if target == os.DevNull {
			n++
		}
	}
	return n
}

// descriptorsOfPipe counts the descriptors that this process has of a pipe.
func descriptorsOfPipe(ino uint64) (n int) {
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		if target, _ := os.Readlink(fd); target == fmt.Sprintf("pipe:[%d]", ino) {
			n++
		}
	}
	return n
}

// Deviation 8.
func TestNullDeviceIsOpenedOnceAndShared(t *testing.T) {
	t.Parallel()
	run := func(p xtest.Package, action string) string {
		testkit.Deadline(t, testkit.Stuck)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		c := p.Helper(t, "mark", action)
		c.Std().ExtraFiles = []*os.File{w}
		err = c.Run()
		w.Close()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	// Each of os/exec's is its own, also the two of one command.
	for range 2 {
		if got := run(xtest.Std, "set"); got != "false false false " {
			t.Errorf("os/exec: marked: %s", got)
		}
	}
	// The third is the second, so the mark is seen there in the first run.
	if got := run(xtest.X, "set"); got != "false false true " {
		t.Errorf("first command: marked: %s", got)
	}
	if got := run(xtest.X, "clear"); got != "true true false " {
		t.Errorf("second command: marked: %s", got)
	}
	if got := run(xtest.X, "clear"); got != "false false false " {
		t.Errorf("third command: marked: %s", got)
	}
}

// A context that ends while Start tries again ends the trying, and is what Start
// returns: os/exec's plain error for a context of CommandContext's.
func TestContextEndsTheRetriesOfStart(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	exe := filepath.Join(t.TempDir(), "busy")
	f, err := os.OpenFile(exe, os.O_CREATE|os.O_WRONLY, 0o777)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// The context ends when the first child has ended that could not execute it. Where
	// that takes too long, there is no other try.
	inAPause := func(start func(ctx context.Context) error) (err error) {
		for end := time.Now().Add(testkit.Stuck / 8); time.Now().Before(end); {
			ctx, cancel := context.WithCancelCause(t.Context())
			failed := make(chan os.Signal, 1)
			signal.Notify(failed, syscall.SIGCHLD)
			go func() {
				select {
				case <-failed:
					cancel(testkit.ErrCause)
				case <-ctx.Done():
				}
			}()
			err = start(ctx)
			signal.Stop(failed)
			cancel(nil)
			if !errors.Is(err, syscall.ETXTBSY) {
				break
			}
		}
		return err
	}
	err = inAPause(func(ctx context.Context) error { return xexec.CommandContext(ctx, exe).Start() })
	if err != context.Canceled {
		t.Errorf("Start: %v, want context.Canceled", err)
	}
	err = inAPause(func(ctx context.Context) error { return xexec.Command(exe).StartContext(ctx) })
	if !errors.Is(err, context.Canceled) || !errors.Is(err, testkit.ErrCause) {
		t.Errorf("StartContext: %v, want context.Canceled and its cause", err)
	}
}
