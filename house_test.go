package xexec_test

import (
	"bufio"
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "example.com/xexec"

// house is which package of this module imports which, tests aside. Imports run
// downwards only.
var house = map[string][]string{
	"":                      {"internal/beside", "internal/cause", "internal/child", "internal/oscmd", "internal/stdio", "internal/tree"},
	"internal/child":        {"internal/exits", "internal/oscmd", "internal/stdio", "internal/tree"},
	"internal/tree":         {"internal/tree/cgroup"},
	"internal/tree/cgroup":  nil,
	"internal/exits":        nil,
	"internal/stdio":        nil,
	"internal/beside":       nil,
	"internal/oscmd":        nil,
	"internal/cause":        nil,
	"examples/sharedwait":   {""},
	"examples/runner":       {""},
	"examples/server":       {""},
	"examples/supervisor":   {""},
	"examples/timeout":      {""},
	"internal/soak":         {""},
	"internal/testkit":      nil,
	"internal/differential": nil, // tests only
	"internal/model":        nil,
	"internal/faults":       nil,
	"internal/modes":        nil,
	"internal/stdsuite":     nil,
}

// systems are those on which the imports are looked at: the build lines of the others
// are like one of these.
var systems = []string{"linux", "darwin", "freebsd", "windows", "plan9"}

func TestImportsKeepTheHouse(t *testing.T) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go command")
	}
	for _, system := range systems {
		c := exec.Command(goCommand, "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
		c.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off")
		c.Stderr = os.Stderr
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			fields := strings.Fields(line)
			room := inModule(fields[0])
			plan, known := house[room]
			if strings.HasPrefix(room, "internal/testkit/") {
				continue // what several packages' tests share
			}
			if !known {
				t.Errorf("%s: %q is not in the plan", system, room)
			}
			for _, imported := range fields[1:] {
				if !strings.HasPrefix(imported+"/", module+"/") {
					continue
				}
				if in := inModule(imported); !slices.Contains(plan, in) {
					t.Errorf("%s: %q imports %q, which is not in the plan", system, room, in)
				}
			}
		}
	}
}

// inModule returns the path of a package below the module's.
func inModule(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

// The root is to be read in one sitting.
func TestRootIsSmall(t *testing.T) {
	const maxFiles, maxLines, maxLinesOfAFile = 16, 1799, 400
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Skip("the source is not here:", err)
	}
	all, sources := 0, 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
			lines++
		}
		if lines > maxLinesOfAFile {
			t.Errorf("%s has %d lines, more than %d", name, lines, maxLinesOfAFile)
		}
		all += lines
		sources++
	}
	if sources > maxFiles || all > maxLines {
		t.Errorf("the root has %d files and %d lines, more than %d and %d", sources, all, maxFiles, maxLines)
	}
}

// An example is to be taken in at a glance.
func TestExamplesAreShort(t *testing.T) {
	const maxLines = 25
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "example_test.go", nil, 0)
	if err != nil {
		t.Skip("the source is not here:", err)
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok {
			if n := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1; n > maxLines {
				t.Errorf("%s has %d lines, more than %d", f.Name, n, maxLines)
			}
		}
	}
}
