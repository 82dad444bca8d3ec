package swap

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what the tests get into their files")

// Each file of testdata is a module example.org/app and, under dep, one that stays
// on os/exec. Its section "report" is what is said about the packages, the sections
// under "want" are the files that change. The result must compile, for real, and a
// second move must find nothing to do. "reverse" in the comment is for the way back,
// "(border)" for a move that leaves alone what is exported.
func TestMoves(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			testMove(t, file)
		})
	}
}

func testMove(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	extract(t, archive, dir)
	reverse := bytes.Contains(archive.Comment, []byte("reverse"))
	o := Options{Dir: dir, Patterns: patterns(archive), Reverse: reverse, Exported: !bytes.Contains(archive.Comment, []byte("(border)"))}
	plan, err := Make(o)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"report": reportOf(plan)}
	for _, f := range plan.Files {
		rel, err := filepath.Rel(dir, f.Path)
		if err != nil {
			t.Fatal(err)
		}
		got["want/"+filepath.ToSlash(rel)] = string(f.New)
	}
	compare(t, file, archive, got)
	apply0(t, plan)
	vet(t, dir)
	if importer := filepath.Join(dir, "importer"); fileExists(importer) {
		cmd := exec.Command("go", "vet", "-mod=mod", "./...") // it has nothing to say about xexec
		cmd.Dir = importer
		cmd.Env = append(os.Environ(), "GOPROXY=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("a package that imports this one: %v\n%s", err, out)
		}
	}

	again, err := Make(o)
	if err != nil {
		t.Fatal("again:", err)
	}
	for _, f := range again.Files {
		t.Errorf("a second move changes %s:\n%s", f.Path, f.New)
	}
	if !reverse {
		testBack(t, archive, plan, dir)
	}
}

// testBack moves back, and compares with what there was. "one way: files" in the
// comment names the files that do not come out the same.
func testBack(t *testing.T, archive *txtar.Archive, plan *Plan, dir string) {
	t.Helper()
	back, err := Make(Options{Dir: dir, Patterns: []string{"./..."}, Reverse: true})
	if err != nil {
		t.Fatal("back:", err)
	}
	apply0(t, back)
	oneWay := field(archive, "one way: ")
	for _, f := range plan.Files {
		rel, err := filepath.Rel(dir, f.Path)
		if err != nil {
			t.Fatal(err)
		}
		now, err := os.ReadFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		if same := bytes.Equal(now, f.Old); same == slices.Contains(oneWay, filepath.ToSlash(rel)) {
			t.Errorf("moved back, %s is (as before: %v)\n%s\n%s", rel, same, now, reportOf(back))
		}
	}
}

// extract writes the module, which finds xexec where these tests are.
func extract(t *testing.T, archive *txtar.Archive, dir string) {
	t.Helper()
	for _, f := range archive.Files {
		if f.Name == "report" || strings.HasPrefix(f.Name, "want/") {
			continue
		}
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		data := bytes.ReplaceAll(f.Data, []byte("XEXEC"), []byte(root(t)))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sums, err := os.ReadFile(filepath.Join(root(t), "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for _, mod := range []string{dir, filepath.Join(dir, "importer")} {
		if fileExists(mod) {
			if err := os.WriteFile(filepath.Join(mod, "go.sum"), sums, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// root returns the directory of xexec itself.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func patterns(archive *txtar.Archive) []string {
	if p := field(archive, "packages: "); p != nil {
		return p
	}
	return []string{"./..."}
}

// field returns the words of a line of the comment.
func field(archive *txtar.Archive, prefix string) []string {
	for line := range strings.Lines(string(archive.Comment)) {
		if p, ok := strings.CutPrefix(line, prefix); ok {
			return strings.Fields(p)
		}
	}
	return nil
}

func reportOf(p *Plan) string {
	var b strings.Builder
	for _, pkg := range p.Packages {
		verb := "stays"
		if pkg.Moves {
			verb = "moves"
		}
		fmt.Fprintf(&b, "%s %s\n", pkg.Path, verb)
		for _, r := range append(slices.Clone(pkg.Reasons), pkg.Notes...) {
			fmt.Fprintf(&b, "\t%s\n", strings.ReplaceAll(r.String(), p.Dir+string(filepath.Separator), ""))
		}
	}
	return b.String()
}

func compare(t *testing.T, file string, archive *txtar.Archive, got map[string]string) {
	t.Helper()
	want := make(map[string]string)
	var inputs []txtar.File
	for _, f := range archive.Files {
		if f.Name == "report" || strings.HasPrefix(f.Name, "want/") {
			want[f.Name] = string(f.Data)
		} else {
			inputs = append(inputs, f)
		}
	}
	if *update {
		for name, text := range got {
			inputs = append(inputs, txtar.File{Name: name, Data: []byte(text)})
		}
		n := len(inputs) - len(got)
		slices.SortFunc(inputs[n:], func(a, b txtar.File) int { return strings.Compare(a.Name, b.Name) })
		if err := os.WriteFile(file, txtar.Format(&txtar.Archive{Comment: archive.Comment, Files: inputs}), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for name, text := range got {
		if want[name] != text {
			t.Errorf("%s is\n%s\nwant\n%s", name, text, want[name])
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
}

func apply0(t *testing.T, plan *Plan) {
	t.Helper()
	mods, _, err := plan.ModFiles(Requirement{Replace: root(t)})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(plan.Files, mods...) {
		if err := os.WriteFile(f.Path, f.New, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// vet lets the go command compile the module, tests included.
func vet(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command("go", "list", "-mod=readonly", "-test", "-export", "-f", "", "./...")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go list -export: %v\n%s", err, out)
	}
}
