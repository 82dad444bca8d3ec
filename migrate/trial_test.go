package migrate_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// command is the built xexec-migrate.
var command string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "xexec-migrate")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	command = filepath.Join(dir, "xexec-migrate.exe")
	out, err := exec.Command("go", "build", "-o", command, "./cmd/xexec-migrate").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// The programs of testdata pass their own tests after the move, and with all offers
// taken. The way back leads to where it began.
func TestTrials(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*/go.mod")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no trial programs", err)
	}
	for _, mod := range dirs {
		from := filepath.Dir(mod)
		t.Run(filepath.Base(from), func(t *testing.T) {
			t.Parallel()
			dir := copyTree(t, from)
			before := contents(t, dir)

			out := migrate(t, dir, 0, "-fix", "-exported", "-replace", root(t), "./...")
			if strings.Contains(out, "stays on") || !strings.Contains(out, "moved to xexec") {
				t.Errorf("-fix said:\n%s", out)
			}
			if left := importers(t, dir, `"os/exec"`); len(left) > 0 {
				t.Errorf("os/exec is still imported by %s", left)
			}
			goTest(t, dir, "after -fix")

			same := hash(t, dir)
			back := copyTree(t, dir)
			migrate(t, back, 0, "-fix", "-reverse", "./...")
			if left := importers(t, back, `"example.com/xexec"`); len(left) > 0 {
				t.Errorf("xexec is still imported after -reverse by %s", left)
			}
			for name, text := range contents(t, back) {
				if text != before[name] && !strings.Contains(before[name], `osexec "os/exec"`) {
					t.Errorf("after -reverse, %s is\n%s", name, text)
				}
			}

			migrate(t, dir, 0, "-fix", "-exported", "-offer=all", "./...")
			if hash(t, dir) == same {
				return
			}
			goTest(t, dir, "with all offers")
			same = hash(t, dir)
			migrate(t, dir, 0, "-fix", "-exported", "-offer=all", "./...")
			if hash(t, dir) != same {
				t.Error("a second -fix -offer=all changes something")
			}
		})
	}
}

// goTest runs a module's own tests, and compiles it for the systems and tags that
// its files mention.
func goTest(t *testing.T, dir, when string) {
	t.Helper()
	run := func(env []string, args ...string) {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: go %s: %v\n%s", when, strings.Join(args, " "), err, out)
		}
	}
	run(nil, "test", "-mod=readonly", "-vet=off", "-count=1", "./...")
	if filepath.Base(dir) != "systems" {
		return
	}
	run(nil, "test", "-mod=readonly", "-vet=off", "-count=1", "-tags=integration", "./...")
	for _, system := range []string{"windows", "darwin"} {
		run([]string{"GOOS=" + system}, "list", "-mod=readonly", "-export", "-test", "-f", "", "./...")
	}
}

// migrate runs the command and returns what it prints.
func migrate(t *testing.T, dir string, code int, args ...string) string {
	t.Helper()
	cmd := exec.Command(command, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("xexec-migrate %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, out)
	}
	return string(out)
}

// root is the directory of xexec itself.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// copyTree copies a directory to a temporary one of the same name.
func copyTree(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(from))
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	// A module cache is read-only.
	err := filepath.WalkDir(to, func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			err = os.Chmod(p, 0o755)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func walk(t *testing.T, dir string, visit func(name string, data []byte)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		visit(p, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func hash(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	walk(t, dir, func(name string, data []byte) { fmt.Fprintf(h, "%s %d %s\n", name, len(data), data) })
	return string(h.Sum(nil))
}

// importers returns the files, other than programs of their own, that import path.
func importers(t *testing.T, dir, path string) []string {
	t.Helper()
	var found []string
	walk(t, dir, func(name string, data []byte) {
		if strings.HasSuffix(name, ".go") && bytes.Contains(data, []byte(path)) && !bytes.Contains(data, []byte("//go:build ignore")) {
			found = append(found, name)
		}
	})
	return found
}
