package migrate_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// module writes a module of one package to a temporary directory.
func module(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.org/m\n\ngo 1.21\n", "m.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const plain = `package m

import "os/exec"

func kill(cmd *exec.Cmd) {
	cmd.Process.Kill()
}
`

const stays = `package m

import (
	"os"
	"os/exec"
)

func File(cmd *exec.Cmd) *os.File {
	p, _ := cmd.StdoutPipe()
	return p.(*os.File)
}
`

func TestReport(t *testing.T) {
	t.Parallel()
	dir := module(t, plain)
	before := hash(t, dir)
	out := migrate(t, dir, 3)
	for _, want := range []string{"example.org/m can move to xexec", "m.go:6:2: ", "(processkill, fixable)", "\nNext: xexec-migrate -diff shows"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if hash(t, dir) != before {
		t.Error("a report changes something")
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	dir := module(t, plain)
	migrate(t, dir, 2, "-nonsense")
	migrate(t, dir, 2, "-fix", "-diff")
	migrate(t, dir, 2, "-offer=nonsense")
	migrate(t, dir, 2, "help", "nonsense")
	migrate(t, dir, 1, "./nowhere")
	migrate(t, dir, 1, "fmt")
	migrate(t, t.TempDir(), 1)
	migrate(t, dir, 1, "-fix", "-replace", t.TempDir())
	same := hash(t, dir)
	migrate(t, dir, 1, "-fix") // it does not know which version to require
	if hash(t, dir) != same {
		t.Error("a failed -fix changes something")
	}
	migrate(t, dir, 3, "-diff")
	migrate(t, dir, 3, "-offer=none")
	migrate(t, dir, 0, "-fix", "-replace", root(t))
	migrate(t, dir, 0, "-offer=none")
	migrate(t, dir, 3)
	migrate(t, dir, 0, "-fix", "-offer=processkill")
	migrate(t, dir, 0)
}

func TestStays(t *testing.T) {
	t.Parallel()
	dir := module(t, stays)
	before := hash(t, dir)
	out := migrate(t, dir, 0, "-fix", "-replace", root(t))
	if !strings.Contains(out, "example.org/m stays on os/exec\n\tm.go:10:9: type assertion to *os.File") {
		t.Error(out)
	}
	if hash(t, dir) != before {
		t.Error("-fix changed a package that stays")
	}
}

// A package that does not compile is refused, and nothing is written.
func TestBroken(t *testing.T) {
	t.Parallel()
	dir := module(t, strings.Replace(plain, "Kill()\n}", "Nonsense()\n}", 1))
	before := hash(t, dir)
	out := migrate(t, dir, 0, "-fix", "-replace", root(t))
	if !strings.Contains(out, "stays on os/exec") || !strings.Contains(out, "m.go:6:14: does not compile") {
		t.Error(out)
	}
	if hash(t, dir) != before {
		t.Error("something was written")
	}
}

// A dependency that is missing is one line, however many packages need it.
func TestMissing(t *testing.T) {
	t.Parallel()
	dir := module(t, strings.Replace(plain, "import \"os/exec\"", "import (\n\t\"os/exec\"\n\n\t\"example.org/gone/x\"\n)\n\nvar _ = x.X", 1))
	mod := "module example.org/m\n\ngo 1.21\n\nrequire example.org/gone v1.0.0\n"
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
		text := "package " + sub + "\n\nimport (\n\t\"os/exec\"\n\n\t_ \"example.org/gone/" + sub + "\"\n)\n\nvar _ = exec.Command\n"
		if err := os.WriteFile(filepath.Join(dir, sub, "x.go"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := migrate(t, dir, 0, "./...")
	if strings.Count(out, "example.org/gone") > 3 || strings.Count(out, "\n") != 3 || !strings.Contains(out, "3 packages stay on os/exec: ") || !strings.Contains(out, "Next: go mod tidy") {
		t.Error(out)
	}
}

func TestGoMod(t *testing.T) {
	t.Parallel()
	dir := module(t, plain)
	if out := migrate(t, dir, 3, "-diff"); !strings.Contains(out, "-require VERSION -fix, with the same packages") {
		t.Error(out)
	}
	out := migrate(t, dir, 0, "-fix", "-require", "v1.2.3")
	if !strings.Contains(out, "go line rises from 1.21 to 1.26") || !strings.Contains(out, "variables of a for loop") {
		t.Error(out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !strings.Contains(string(data), "require example.com/xexec v1.2.3\n") {
		t.Errorf("%s, %v", data, err)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	dir := module(t, plain)
	before := hash(t, dir)
	cmd := exec.Command(command, "-diff", "-offer=all", "-replace", root(t))
	cmd.Dir = dir
	out, _ := cmd.Output()
	if cmd.ProcessState.ExitCode() != 3 || hash(t, dir) != before {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
	for _, want := range []string{"--- m.go.orig\n+++ m.go\n@@ -1,7 +1,7 @@\n", "-import \"os/exec\"\n+import exec \"example.com/xexec\"\n", "-\tcmd.Process.Kill()\n+\tcmd.Kill()\n", "+++ go.mod"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	patch, err := exec.LookPath("patch")
	if err != nil {
		return
	}
	cmd = exec.Command(patch, "-p0")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(string(out))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("patch: %v\n%s", err, out)
	}
	migrate(t, dir, 0)
}

func TestJSON(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(command, "-json")
	cmd.Dir = module(t, plain)
	out, _ := cmd.Output()
	var r struct {
		Module   string
		Packages []struct {
			Path  string
			Moves bool
		}
		Offers []struct {
			Analyzer, Posn string
			Fixable        bool
		}
		Files []string
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if r.Module != "example.org/m" || len(r.Packages) != 1 || !r.Packages[0].Moves ||
		len(r.Offers) != 1 || r.Offers[0].Analyzer != "processkill" || r.Offers[0].Posn != "m.go:6:2" || !r.Offers[0].Fixable ||
		len(r.Files) != 1 || r.Files[0] != "m.go" {
		t.Errorf("%s", out)
	}
}

func TestVetTool(t *testing.T) {
	t.Parallel()
	dir := module(t, plain)
	vet := func(args ...string) (string, bool) {
		cmd := exec.Command("go", append([]string{"vet", "-vettool=" + command}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err == nil
	}
	if out, ok := vet("."); ok || !strings.Contains(out, "m.go:3:8: os/exec is imported") {
		t.Errorf("before: %v\n%s", ok, out)
	}
	migrate(t, dir, 0, "-fix", "-replace", root(t))
	if out, ok := vet("."); ok || !strings.Contains(out, "m.go:6:2: signal through the process") || strings.Contains(out, "os/exec is imported") {
		t.Errorf("after: %v\n%s", ok, out)
	}
	if out, ok := vet("-osexec", "."); !ok {
		t.Errorf("with one analyzer: %s", out)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	if out := migrate(t, ".", 0, "-h"); !strings.HasPrefix(out, "xexec-migrate moves a Go module") || !strings.Contains(out, "\n  3  a report or a diff") || !strings.Contains(out, "  -exported\n") {
		t.Error(out)
	}
	if out := migrate(t, ".", 0, "help"); !strings.Contains(out, "waitgoroutine  report goroutines") {
		t.Error(out)
	}
	if out := migrate(t, ".", 0, "help", "killtree"); !strings.HasPrefix(out, "killtree: report process groups") {
		t.Error(out)
	}
}
