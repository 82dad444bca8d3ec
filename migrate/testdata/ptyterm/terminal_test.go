package ptyterm

import (
	"io"
	"os/exec"
	"strings"
	"testing"
)

func TestEcho(t *testing.T) {
	for _, kind := range []string{"plain", "sized", "other"} {
		term, err := Open(kind, "sh", "-c", "test -t 1 && echo on a tty; stty size")
		if err != nil {
			t.Fatal(err)
		}
		out, _ := io.ReadAll(term)
		if !strings.Contains(string(out), "on a tty") {
			t.Errorf("%s: %q", kind, out)
		}
		if kind == "sized" && !strings.Contains(string(out), "30 100") {
			t.Errorf("size: %q", out)
		}
		if err := term.Wait(); err != nil {
			t.Error(err)
		}
		if err := term.Wait(); err != nil {
			t.Error("again:", err)
		}
		if term.Pid() == 0 || term.cmd.ProcessState == nil {
			t.Error("the command was not started through its own fields")
		}
		term.Close()
	}
}

func TestExitCode(t *testing.T) {
	f, c, err := Shell("exit 7")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	io.Copy(io.Discard, f)
	if ee, ok := c.Wait().(*exec.ExitError); !ok || ee.ExitCode() != 7 {
		t.Errorf("state %v", c.ProcessState)
	}
}

func TestCloseKills(t *testing.T) {
	term, err := Open("plain", "cat")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(term, "hello\n"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(term, buf); err != nil || string(buf) != "hello" {
		t.Fatalf("%q, %v", buf, err)
	}
	term.Close()
	if err := term.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("Wait: %v", err)
	}
}
