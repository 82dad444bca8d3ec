package migrate_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Public modules that start commands. The small ones are always tried, all of them
// with XEXEC_MODULES=all, which takes some minutes. They and what they require come
// from the module proxy; without it the test is skipped, unless it has to run all.
var modules = []struct {
	version string
	small   bool
	flags   []string
	moves   int // packages
}{
	{"github.com/atotto/clipboard@v0.1.4", true, nil, 1}, // no go line, no go.sum
	{"github.com/bitfield/script@v0.25.2", false, nil, 1},
	{"github.com/cespare/reflex@v0.3.1", true, nil, 1}, // go 1.15, an old golang.org/x/sys, pty
	{"github.com/Netflix/go-expect@v0.0.0-20220104043353-73e0943537d2", false, nil, 1},
	{"github.com/air-verse/air@v1.67.4", false, nil, 1},
	{"github.com/charmbracelet/bubbletea@v1.3.10", false, nil, 1}, // a border
	{"github.com/cli/browser@v1.3.0", false, nil, 1},
	{"github.com/creack/pty@v1.1.24", false, []string{"-exported"}, 1},
	{"github.com/go-cmd/cmd@v1.4.4", false, []string{"-exported"}, 1},
	{"github.com/hashicorp/go-plugin@v1.8.0", false, nil, 5}, // its root package stays
	{"github.com/hashicorp/go-plugin@v1.8.0", false, []string{"-exported"}, 7},
	{"github.com/magefile/mage@v1.17.2", false, nil, 4},
	{"github.com/zalando/go-keyring@v0.2.8", false, nil, 1},
}

// -fix moves public modules so that they compile, tests included, and -reverse -fix
// leaves every file as it was, save the go line of go.mod.
func TestModules(t *testing.T) {
	all := os.Getenv("XEXEC_MODULES") == "all"
	for _, m := range modules {
		if !m.small && !all {
			continue
		}
		t.Run(strings.Join(append([]string{filepath.Base(m.version)}, m.flags...), ""), func(t *testing.T) {
			t.Parallel()
			var download struct{ Dir, Error string }
			cmd := exec.Command("go", "mod", "download", "-json", m.version)
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "GOWORK=off")
			out, err := cmd.Output()
			if e := json.Unmarshal(out, &download); e != nil || err != nil || download.Dir == "" {
				if all {
					t.Fatalf("go mod download: %v, %v %s", err, e, out)
				}
				t.Skipf("no module proxy: %v %s", err, download.Error)
			}
			dir := copyTree(t, download.Dir)
			before := contents(t, dir)
			report := migrate(t, dir, 0, append(append([]string{"-fix", "-replace", root(t)}, m.flags...), "./...")...)
			if n := strings.Count(report, " moved to "); n != m.moves {
				t.Errorf("%d packages moved, want %d:\n%s", n, m.moves, report)
			}

			build := exec.Command("go", "test", "-mod=mod", "-vet=off", "-run=^$", "./...")
			build.Dir = copyTree(t, dir)
			if out, err := build.CombinedOutput(); err != nil {
				t.Errorf("after -fix: go test: %v\n%s", err, out)
			}

			report = migrate(t, dir, 0, "-reverse", "-fix", "./...")
			after := contents(t, dir)
			for name, text := range after {
				if before[name] != text {
					t.Errorf("after -reverse -fix, %s is\n%s\nand was\n%s\n%s", name, text, before[name], report)
				}
			}
			for name := range maps.Keys(before) {
				if _, ok := after[name]; !ok {
					t.Errorf("after -reverse -fix, there is no %s", name)
				}
			}
		})
	}
}

var goLine = regexp.MustCompile(`(?m)\n*^go \d.*$`)

// contents returns the files in dir by name, go.mod without its go line.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	walk(t, dir, func(name string, data []byte) {
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		if rel == "go.mod" {
			text = strings.TrimSpace(goLine.ReplaceAllString(text, ""))
		}
		files[rel] = text
	})
	return files
}
