package differential_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

func init() {
	testkit.Register("environ", helperEnviron)
	testkit.Register("whoami", helperWhoAmI)
}

// helperEnviron prints the environment it got, less what the tests add.
func helperEnviron([]string) int {
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, testkit.HelperEnv+"=") {
			fmt.Printf("%q\n", kv)
		}
	}
	return 0
}

// helperWhoAmI prints where it runs and as what.
func helperWhoAmI([]string) int {
	wd, err := os.Getwd()
	fmt.Println(wd, err, os.Args)
	return 0
}

func TestSameAsOsExec(t *testing.T) {
	for _, cases := range []struct {
		about string
		list  []diffCase
	}{
		{"stdio", stdioCases},
		{"settings", settingsCases},
		{"order", orderCases},
		{"context", contextCases},
		{"delay", delayCases},
	} {
		for _, c := range cases.list {
			t.Run(cases.about+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				c.compare(t)
			})
		}
	}
}

var settingsCases = []diffCase{
	{"exit 0", "success true", func(r *report, p xtest.Package) { r.run(p.Helper(r, "exit", "0")) }},
	{"exit 1", "code 1 ", func(r *report, p xtest.Package) { r.run(p.Helper(r, "exit", "1")) }},
	{"exit 255", "code 255", func(r *report, p xtest.Package) { r.run(p.Helper(r, "exit", "255")) }},
	{"Dir", "dir ", func(r *report, p xtest.Package) {
		c := p.Helper(r, "whoami")
		c.Std().Dir = r.dir
		r.output(c)
	}},
	{"Dir missing", "no such file", func(r *report, p xtest.Package) {
		c := p.Helper(r, "whoami")
		c.Std().Dir = filepath.Join(r.dir, "missing")
		r.output(c)
	}},
	{"Dir a file", "not a directory", func(r *report, p xtest.Package) {
		c := p.Helper(r, "whoami")
		c.Std().Dir = fileWith(r, "").Name()
		r.output(c)
	}},
	environ("Env nil", testkit.HelperEnv, nil, ""),
	environ("Env nil with Dir", "PWD=", nil, "."),
	environ("Env empty", "output: \"\"", []string{}, ""),
	environ("Env duplicates", "X=2", []string{"X=1", "Y=1", "X=2", "y=3"}, ""),
	environ("Env odd entries", "bare", []string{"bare", "", "=lead=1", "=lead=2", "A=b=c", "bare"}, ""),
	environ("Env PWD", "/elsewhere", []string{"PWD=/elsewhere"}, "."),
	environ("Env NUL", "environment variable contains NUL", []string{"A=1", "B=2\x00C=3"}, ""),
	{"Args[0]", "another name", func(r *report, p xtest.Package) {
		c := p.Helper(r, "whoami")
		c.Std().Args[0] = "another name"
		r.note("String", c)
		r.output(c)
	}},
	{"a literal", "output: \"some\"", func(r *report, p xtest.Package) {
		exe, argv := testkit.NeedHelper(r, "say", "o:some")
		r.output(p.From(&exec.Cmd{Path: exe, Args: append([]string{exe}, argv...)}))
	}},
	{"a literal without Args", "Args: \"[]\"", func(r *report, p xtest.Package) {
		exe, _ := testkit.NeedHelper(r, "cat")
		c := p.From(&exec.Cmd{Path: exe, Env: append(os.Environ(), testkit.HelperEnv+"=cat"), Stdin: strings.NewReader("some")})
		r.output(c)
		r.note("Args", c.Std().Args)
	}},
	{"a copy", "output: \"copied\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "cat")
		c.Std().Stdin = strings.NewReader("copied")
		twin := *c.Std()
		r.output(p.From(&twin))
		r.note("Process of the first", c.Std().Process)
	}},
	{"empty name", "exec: no command", func(r *report, p xtest.Package) { noCommand(r, p.Command("")) }},
	{"empty literal", "exec: no command", func(r *report, p xtest.Package) {
		r.run(p.From(&exec.Cmd{}))
		noCommand(r, p.From(&exec.Cmd{Args: []string{"name", "arg"}}))
	}},
	{"dot", "executable file not found", func(r *report, p xtest.Package) { noCommand(r, p.Command(".")) }},
	{"bare missing", "executable file not found", func(r *report, p xtest.Package) {
		noCommand(r, p.Command("no-such-program", "arg"))
		path, err := p.LookPath("no-such-program")
		r.note("LookPath", path)
		r.err("LookPath", err)
	}},
	{"relative missing", "no such file", func(r *report, p xtest.Package) { noCommand(r, p.Command("./no-such-program")) }},
	{"absolute missing", "no such file", func(r *report, p xtest.Package) {
		noCommand(r, p.Command(filepath.Join(r.dir, "missing")))
	}},
	{"a directory", "permission denied", func(r *report, p xtest.Package) { noCommand(r, p.Command(r.dir)) }},
	{"not executable", "permission denied", func(r *report, p xtest.Package) {
		noCommand(r, p.Command(fileWith(r, "some text").Name()))
	}},
	{"relative to Dir", "output: \"some\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:some")
		c.Std().Dir, c.Std().Path = filepath.Dir(c.Std().Path), "."+string(filepath.Separator)+filepath.Base(c.Std().Path)
		r.output(c)
	}},
	{"Err set", testkit.ErrBroken.Error(), func(r *report, p xtest.Package) {
		c := p.Helper(r, "exit", "0")
		c.Std().Err = testkit.ErrBroken
		noCommand(r, c)
	}},
}

// environ compares Environ, and what arrives.
func environ(name, shows string, env []string, dir string) diffCase {
	return diffCase{name, shows, func(r *report, p xtest.Package) {
		c := p.Helper(r, "environ")
		c.Std().Env, c.Std().Dir = env, dir
		r.note("Environ", slices.Clone(c.Environ()))
		r.output(c)
	}}
}

// noCommand notes all there is to see of a command that cannot start.
func noCommand(r *report, c xtest.Command) {
	r.note("String", c)
	r.note("Path", c.Std().Path)
	r.note("Args", c.Std().Args)
	r.err("Err", c.Std().Err)
	r.err("Start", c.Start())
	r.err("Start again", c.Start())
	r.note("Process", c.Std().Process)
	r.err("Wait", c.Wait())
	r.state(c)
	r.err("Err", c.Std().Err)
	r.note("String", c)
}

// fileWith returns a file open at its beginning.
func fileWith(r *report, text string) *os.File {
	name := filepath.Join(r.dir, fmt.Sprintf("file%d", len(r.files)))
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		r.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		r.Fatal(err)
	}
	r.files = append(r.files, f)
	return f
}

func contents(r *report, f *os.File) string {
	b, err := os.ReadFile(f.Name())
	if err != nil {
		r.Fatal(err)
	}
	return string(b)
}
