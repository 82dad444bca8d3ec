package xexec_test

import (
	"encoding/json"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

var readmeBlock = regexp.MustCompile("(?m)^```(\\w*)\n((?:.*\n)*?)```$")

// No Go stands in README.md that is not compiled. A program is built, and run where
// there is a shell: it prints the block after it. A fragment stands in the examples.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Skip("the source is not here:", err)
	}
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := readmeBlock.FindAllStringSubmatch(string(readme), -1)
	programs := 0
	for i, b := range blocks {
		language, text := b[1], b[2]
		switch {
		case language != "go":
		case strings.HasPrefix(text, "package main\n"):
			programs++
			if f, err := format.Source([]byte(text)); err != nil || string(f) != text {
				t.Errorf("not as gofmt has it (%v):\n%s", err, text)
			}
			if out := runReadme(t, text); out != "" && (i+1 == len(blocks) || blocks[i+1][2] != out) {
				t.Errorf("README.md does not say that its program prints\n%s", out)
			}
		case !strings.Contains(outdented(string(examples)), "\n"+outdented(text)):
			t.Errorf("not in example_test.go:\n%s", text)
		}
	}
	if programs == 0 {
		t.Error("there is no program")
	}
}

// outdented is text without what begins its lines, as fragments are further left.
func outdented(text string) string {
	return regexp.MustCompile(`(?m)^\t+`).ReplaceAllString(text, "")
}

// runReadme builds a program as a package of this module, and returns what it
// prints, or "" where it cannot run.
func runReadme(t *testing.T, program string) string {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go command")
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	source, overlay, binary := filepath.Join(tmp, "main.go"), filepath.Join(tmp, "overlay"), filepath.Join(tmp, "readme.exe")
	files, err := json.Marshal(map[string]any{
		"Replace": map[string]string{filepath.Join(here, "readme", "main.go"): source},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{source: []byte(program), overlay: files} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command(goCommand, "build", "-overlay", overlay, "-o", binary, "./readme")
	build.Env = append(os.Environ(), "GOWORK=off") // the other modules may not be here
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, program)
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		return ""
	}
	out, err := exec.Command(binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
