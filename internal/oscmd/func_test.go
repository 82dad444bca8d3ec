package oscmd

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unsafe"
)

// A cmd is what xexec.Cmd is.
type cmd exec.Cmd

func (c *cmd) Kill() error      { return c.Process.Kill() }
func (c *cmd) Terminate() error { return nil }

//go:noinline
func ours(c *cmd) func() error { return func() error { return c.Kill() } }

type (
	embedding      struct{ *cmd }
	embeddingValue struct{ cmd }
)

func TestCancelsOf(t *testing.T) {
	cancels := CancelsOf(ours(nil), (*cmd)(nil).Kill, (*cmd)(nil).Terminate)
	std := exec.CommandContext(context.Background(), "name")
	c, other := (*cmd)(std), new(cmd)
	literal := func() error { return c.Kill() }
	for name, test := range map[string]struct {
		cancel func() error
		want   CancelKind
	}{
		"none":                     {nil, NoCancel},
		"ours":                     {ours(c), DefaultCancel},
		"ours, of another":         {ours(other), DefaultCancel},
		"os/exec's":                {std.Cancel, DefaultCancel},
		"os/exec's, of another":    {exec.CommandContext(context.Background(), "other").Cancel, DefaultCancel},
		"Kill":                     {c.Kill, KillCancel},
		"Kill of another":          {other.Kill, OtherCancel},
		"Kill of none":             {(*cmd)(nil).Kill, OtherCancel},
		"Terminate":                {c.Terminate, TerminateCancel},
		"Terminate of another":     {other.Terminate, OtherCancel},
		"of an embedded pointer":   {embedding{c}.Kill, KillCancel},
		"of an embedded value":     {(*embeddingValue)(unsafe.Pointer(c)).Kill, KillCancel},
		"a literal":                {literal, OtherCancel},
		"of an interface":          {interface{ Kill() error }(c).Kill, OtherCancel},
		"of an interface, another": {interface{ Kill() error }(other).Kill, OtherCancel},
	} {
		c.Cancel = test.cancel
		if got := cancels.Of(std).Kind; got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
		copied := *std
		want := test.want
		if want == KillCancel || want == TerminateCancel {
			want = OtherCancel // it ends the original
		}
		if got := cancels.Of(&copied).Kind; got != want {
			t.Errorf("a copy, %s: %v, want %v", name, got, want)
		}
	}
}

// With a profile the compiler may inline exec.CommandContext into a caller, and the
// default Cancel then has code of its own there.
func TestDefaultCancelOfInlinedCommandContext(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	profile, program := filepath.Join(dir, "profile"), filepath.Join(dir, "inlined.exe")
	const hot = "GO PREPROFILE V1\nmain.command\nos/exec.CommandContext\n1 1000000\n"
	if err := os.WriteFile(profile, []byte(hot), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program,
		"-gcflags=os/exec=-pgoprofile="+profile, "-gcflags=./testdata/inlined=-pgoprofile="+profile, "./testdata/inlined")
	build.Env = append(os.Environ(), "GOWORK=off", "GOOS=", "GOARCH=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command(program).CombinedOutput(); err != nil || string(out) != "true" {
		t.Errorf("known: %s, %v", out, err)
	}
	symbols, _ := exec.Command("go", "tool", "nm", program).Output()
	if !bytes.Contains(symbols, []byte("main.command.CommandContext.func1")) {
		t.Log("the compiler has not inlined it: nothing was tested")
	}
}
