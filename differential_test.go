package xexec_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func init() {
	registerHelper("environ", helperEnviron)
	registerHelper("whoami", helperWhoAmI)
}

// helperEnviron prints the environment it got, less what the tests add.
func helperEnviron([]string) int {
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, helperEnv+"=") {
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

var errBroken = errors.New("broken on purpose")

var settingsCases = []diffCase{
	{"exit 0", "success true", func(r *report, p execPackage) { r.run(p.helper(r, "exit", "0")) }},
	{"exit 1", "code 1 ", func(r *report, p execPackage) { r.run(p.helper(r, "exit", "1")) }},
	{"exit 255", "code 255", func(r *report, p execPackage) { r.run(p.helper(r, "exit", "255")) }},
	{"Dir", "dir ", func(r *report, p execPackage) {
		c := p.helper(r, "whoami")
		c.std().Dir = r.dir
		r.output(c)
	}},
	{"Dir missing", "no such file", func(r *report, p execPackage) {
		c := p.helper(r, "whoami")
		c.std().Dir = filepath.Join(r.dir, "missing")
		r.output(c)
	}},
	{"Dir a file", "not a directory", func(r *report, p execPackage) {
		c := p.helper(r, "whoami")
		c.std().Dir = fileWith(r, "").Name()
		r.output(c)
	}},
	environ("Env nil", helperEnv, nil, ""),
	environ("Env nil with Dir", "PWD=", nil, "."),
	environ("Env empty", "output: \"\"", []string{}, ""),
	environ("Env duplicates", "X=2", []string{"X=1", "Y=1", "X=2", "y=3"}, ""),
	environ("Env odd entries", "bare", []string{"bare", "", "=lead=1", "=lead=2", "A=b=c", "bare"}, ""),
	environ("Env PWD", "/elsewhere", []string{"PWD=/elsewhere"}, "."),
	environ("Env NUL", "environment variable contains NUL", []string{"A=1", "B=2\x00C=3"}, ""),
	{"Args[0]", "another name", func(r *report, p execPackage) {
		c := p.helper(r, "whoami")
		c.std().Args[0] = "another name"
		r.note("String", c)
		r.output(c)
	}},
	{"a literal", "output: \"some\"", func(r *report, p execPackage) {
		exe, argv := needHelper(r, "say", "o:some")
		r.output(p.from(&exec.Cmd{Path: exe, Args: append([]string{exe}, argv...)}))
	}},
	{"a literal without Args", "Args: \"[]\"", func(r *report, p execPackage) {
		exe, _ := needHelper(r, "cat")
		c := p.from(&exec.Cmd{Path: exe, Env: append(os.Environ(), helperEnv+"=cat"), Stdin: strings.NewReader("some")})
		r.output(c)
		r.note("Args", c.std().Args)
	}},
	{"a copy", "output: \"copied\"", func(r *report, p execPackage) {
		c := p.helper(r, "cat")
		c.std().Stdin = strings.NewReader("copied")
		twin := *c.std()
		r.output(p.from(&twin))
		r.note("Process of the first", c.std().Process)
	}},
	{"empty name", "exec: no command", func(r *report, p execPackage) { noCommand(r, p.command("")) }},
	{"empty literal", "exec: no command", func(r *report, p execPackage) {
		r.run(p.from(&exec.Cmd{}))
		noCommand(r, p.from(&exec.Cmd{Args: []string{"name", "arg"}}))
	}},
	{"dot", "executable file not found", func(r *report, p execPackage) { noCommand(r, p.command(".")) }},
	{"bare missing", "executable file not found", func(r *report, p execPackage) {
		noCommand(r, p.command("no-such-program", "arg"))
		path, err := p.lookPath("no-such-program")
		r.note("LookPath", path)
		r.err("LookPath", err)
	}},
	{"relative missing", "no such file", func(r *report, p execPackage) { noCommand(r, p.command("./no-such-program")) }},
	{"absolute missing", "no such file", func(r *report, p execPackage) {
		noCommand(r, p.command(filepath.Join(r.dir, "missing")))
	}},
	{"a directory", "permission denied", func(r *report, p execPackage) { noCommand(r, p.command(r.dir)) }},
	{"not executable", "permission denied", func(r *report, p execPackage) {
		noCommand(r, p.command(fileWith(r, "some text").Name()))
	}},
	{"relative to Dir", "output: \"some\"", func(r *report, p execPackage) {
		c := p.helper(r, "say", "o:some")
		c.std().Dir, c.std().Path = filepath.Dir(c.std().Path), "."+string(filepath.Separator)+filepath.Base(c.std().Path)
		r.output(c)
	}},
	{"Err set", errBroken.Error(), func(r *report, p execPackage) {
		c := p.helper(r, "exit", "0")
		c.std().Err = errBroken
		noCommand(r, c)
	}},
}

// environ compares Environ, and what arrives.
func environ(name, shows string, env []string, dir string) diffCase {
	return diffCase{name, shows, func(r *report, p execPackage) {
		c := p.helper(r, "environ")
		c.std().Env, c.std().Dir = env, dir
		r.note("Environ", slices.Clone(c.Environ()))
		r.output(c)
	}}
}

// noCommand notes all there is to see of a command that cannot start.
func noCommand(r *report, c command) {
	r.note("String", c)
	r.note("Path", c.std().Path)
	r.note("Args", c.std().Args)
	r.err("Err", c.std().Err)
	r.err("Start", c.Start())
	r.err("Start again", c.Start())
	r.note("Process", c.std().Process)
	r.err("Wait", c.Wait())
	r.state(c)
	r.err("Err", c.std().Err)
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
