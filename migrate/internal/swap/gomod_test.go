package swap

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// Each go.mod gets what xexec needs, line by line, and the way back leaves what
// there was, save the go line.
func TestGoMod(t *testing.T) {
	for name, test := range map[string]struct {
		require Requirement
		before  string
		after   string
		sum     string
	}{
		"nothing": {
			require: Requirement{Version: "v0.9.0"},
			before:  "module m\n",
			after:   "module m\n\ngo 1.26.0\n\nrequire example.com/xexec v0.9.0\n",
		},
		"without end": {
			require: Requirement{Version: "v0.9.0"},
			before:  "module m\n\ngo 1.27",
			after:   "module m\n\ngo 1.27\n\nrequire example.com/xexec v0.9.0\n",
		},
		"blocks": {
			require: Requirement{Version: "v0.9.0"},
			before: "// The module.\nmodule m\n\ngo   1.21 // old\n\ntoolchain go1.21.1\n\nrequire (\n\ta.org/x v1.0.0 // indirect\n)\n\n" +
				"require (\n\ta.org/y   v1.0.0\n\t// This one.\n\tz.org/z v1.0.0\n)\n\nexclude a.org/x v0.1.0\n",
			after: "// The module.\nmodule m\n\ngo   1.26.0 // old\n\ntoolchain go1.21.1\n\nrequire (\n\ta.org/x v1.0.0 // indirect\n)\n\n" +
				"require (\n\ta.org/y   v1.0.0\n\texample.com/xexec v0.9.0\n\t// This one.\n\tz.org/z v1.0.0\n)\n\nexclude a.org/x v0.1.0\n",
		},
		"lines": {
			require: Requirement{Replace: "XEXEC"},
			before:  "module m\n\ngo 1.26.0\n\nrequire a.org/x v1.0.0\n\nrequire b.org/x v1.0.0\n",
			after: "module m\n\ngo 1.26.0\n\nrequire a.org/x v1.0.0\n\nrequire b.org/x v1.0.0\nrequire example.com/xexec v0.0.0\n" +
				"\nrequire golang.org/x/sys SYS // indirect; for xexec\n\nreplace example.com/xexec => XEXEC\n",
		},
		"raised": {
			require: Requirement{Replace: "XEXEC"},
			before:  "module m\n\ngo 1.26.0\n\nrequire golang.org/x/sys v0.1.0\n\nreplace a.org/x => ../x\n",
			after: "module m\n\ngo 1.26.0\n\nrequire golang.org/x/sys SYS // v0.1.0 without xexec\nrequire example.com/xexec v0.0.0\n" +
				"\nreplace a.org/x => ../x\nreplace example.com/xexec => XEXEC\n",
			sum: "golang.org/x/sys v0.1.0 h1:a\ngolang.org/x/sys v0.1.0/go.mod h1:b\ngolang.org/x/text v0.1.0 h1:c\n",
		},
		"raised in a block": {
			require: Requirement{Replace: "XEXEC"},
			before:  "module m\n\ngo 1.26.0\n\nrequire (\n\ta.org/x v1.0.0\n\tz.org/x v1.0.0\n)\n\nrequire (\n\tgolang.org/x/sys v0.1.0 // indirect\n)\n\nreplace (\n\ta.org/x => ../x\n)\n",
			after: "module m\n\ngo 1.26.0\n\nrequire (\n\ta.org/x v1.0.0\n\texample.com/xexec v0.0.0\n\tz.org/x v1.0.0\n)\n\nrequire (\n\tgolang.org/x/sys SYS // indirect; v0.1.0 without xexec\n)\n\n" +
				"replace (\n\ta.org/x => ../x\n\texample.com/xexec => XEXEC\n)\n",
		},
		"an empty go.sum": {
			require: Requirement{Replace: "XEXEC"},
			before:  "module m\n\ngo 1.26.0\n",
			after: "module m\n\ngo 1.26.0\n\nrequire example.com/xexec v0.0.0\n\nrequire golang.org/x/sys SYS // indirect; for xexec, go.sum was empty\n" +
				"\nreplace example.com/xexec => XEXEC\n",
			sum: "empty",
		},
		"new": {
			require: Requirement{Replace: "XEXEC"},
			before:  "module m\n\ngo 1.26.0\n",
			after: "module m\n\ngo 1.26.0\n\nrequire example.com/xexec v0.0.0\n\nrequire golang.org/x/sys SYS // indirect; for xexec\n" +
				"\nreplace example.com/xexec => XEXEC\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(root(t), "go.mod"))
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := modfile.Parse("go.mod", data, nil)
			if err != nil {
				t.Fatal(err)
			}
			names := strings.NewReplacer("XEXEC", root(t), "SYS", requirement(theirs, "golang.org/x/sys").Mod.Version)
			dir := t.TempDir()
			write := func(name, text string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			files := func(mod string, imports string, reverse bool) (string, []byte) {
				t.Helper()
				f, err := modfile.Parse("go.mod", []byte(mod), nil)
				if err != nil {
					t.Fatal(err)
				}
				p := &Plan{
					Dir:     dir,
					Files:   []*File{{Path: "x.go", New: []byte("package x\nimport \"" + imports + "\"\n")}},
					module:  &module{dir: dir, mod: f, gomod: []byte(mod)},
					options: Options{Reverse: reverse},
				}
				r := test.require
				r.Replace = names.Replace(r.Replace)
				changed, _, err := p.ModFiles(r)
				if err != nil {
					t.Fatal(err)
				}
				sum, err := os.ReadFile(filepath.Join(dir, "go.sum"))
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				for _, f := range changed {
					if f.Path == "go.mod" {
						mod = string(f.New)
					} else {
						sum = f.New
					}
				}
				return mod, sum
			}
			sumBefore := []byte(test.sum)
			switch test.sum {
			case "":
				sumBefore = nil
			case "empty":
				sumBefore = []byte{}
			}
			if sumBefore != nil {
				write("go.sum", string(sumBefore))
			}
			mod, sum := files(test.before, Xexec, false)
			if want := names.Replace(test.after); mod != want {
				t.Errorf("go.mod is\n%s\nwant\n%s", mod, want)
			}
			if bytes.Contains(sum, []byte("goleak")) || test.require.Replace != "" && strings.Count(string(sum), "golang.org/x/sys "+names.Replace("SYS")) != 2 {
				t.Errorf("go.sum is\n%s", sum)
			}
			if sum != nil {
				write("go.sum", string(sum))
			}
			mod, sum = files(mod, Std, true)
			want := strings.Replace(test.before, "go   1.21", "go   1.26.0", 1)
			if name == "nothing" {
				want += "\ngo 1.26.0\n"
			}
			if strings.TrimSuffix(mod, "\n") != strings.TrimSuffix(want, "\n") {
				t.Errorf("moved back, go.mod is\n%s\nwant\n%s", mod, want)
			}
			if (sum == nil) != (sumBefore == nil) || !bytes.Equal(sum, sumBefore) {
				t.Errorf("moved back, go.sum is\n%q\nwant\n%q", sum, sumBefore)
			}
		})
	}
}
