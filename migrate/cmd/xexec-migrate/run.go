package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"example.com/xexec/migrate"
	"example.com/xexec/migrate/internal/swap"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/tools/go/analysis"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitToDo   = 3
)

const usage = `xexec-migrate moves a Go module from os/exec to example.com/xexec.

	xexec-migrate [flags] [packages]
	xexec-migrate help [analyzer]
	go vet -vettool=$(which xexec-migrate) [packages]

Without a flag it reports which packages can move, why the others cannot, and what
could be written better afterwards. Nothing is written without -fix. The packages
are named as for the go command, ./... for the whole module; the default is the one
in the current directory.

What packages export that other modules can import keeps os/exec's types, so that
importers compile as before. -exported moves that too.

Flags:

`

const exitCodes = `
Exit codes:

  0  nothing to do, or -fix did it
  1  something failed, and nothing was written
  2  the command line is wrong
  3  a report or a diff with something to do in it: a package that can move, or an
     offer; a package that cannot move is no reason for it
`

type options struct {
	fix, diff, json, reverse, exported bool
	offer, replace, require, tags      string
}

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "help" {
		return help(args[1:], stdout, stderr)
	}
	var o options
	fs := flag.NewFlagSet("xexec-migrate", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.BoolVar(&o.fix, "fix", false, "rewrite the packages that can move, and go.mod")
	fs.BoolVar(&o.diff, "diff", false, "print what -fix would do as a unified diff")
	fs.BoolVar(&o.json, "json", false, "print the report as JSON")
	fs.BoolVar(&o.reverse, "reverse", false, "move back from xexec to os/exec")
	fs.BoolVar(&o.exported, "exported", false, "also move what packages that other modules can import export")
	fs.StringVar(&o.offer, "offer", "", "the analyzers to use: comma-separated `names`, \"all\" or \"none\"; the default is all for a report, none for -fix and -diff")
	fs.StringVar(&o.replace, "replace", "", "let go.mod find xexec in `dir`")
	fs.StringVar(&o.require, "require", "", "the `version` of xexec to require in go.mod")
	fs.StringVar(&o.tags, "tags", "", "comma-separated build `tags` that are always set")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stdout, usage)
			fs.SetOutput(stdout)
			fs.PrintDefaults()
			fmt.Fprint(stdout, exitCodes)
			return exitDone
		}
		fmt.Fprintf(stderr, "xexec-migrate: %v; xexec-migrate -h lists the flags\n", err)
		return exitUsage
	}
	if o.fix && o.diff {
		fmt.Fprintln(stderr, "xexec-migrate: -fix and -diff exclude each other")
		return exitUsage
	}
	offers, err := choose(o)
	if err != nil {
		fmt.Fprintln(stderr, "xexec-migrate:", err)
		return exitUsage
	}
	code, err := migrateModule(o, offers, fs.Args(), stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "xexec-migrate:", err)
		return exitFailed
	}
	return code
}

// choose returns the analyzers that -offer names.
func choose(o options) ([]*analysis.Analyzer, error) {
	names := o.offer
	if names == "" {
		names = "all"
		if o.fix || o.diff {
			names = "none"
		}
	}
	switch names {
	case "all":
		return migrate.Offers(), nil
	case "none":
		return nil, nil
	}
	byName := make(map[string]*analysis.Analyzer)
	for _, a := range migrate.Offers() {
		byName[a.Name] = a
	}
	var chosen []*analysis.Analyzer
	for name := range strings.SplitSeq(names, ",") {
		a := byName[strings.TrimSpace(name)]
		if a == nil {
			return nil, fmt.Errorf("-offer: there is no analyzer %q; see xexec-migrate help", name)
		}
		chosen = append(chosen, a)
	}
	return chosen, nil
}

func migrateModule(o options, offers []*analysis.Analyzer, patterns []string, stdout, stderr io.Writer) (int, error) {
	wd, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	var tags []string
	if o.tags != "" {
		tags = strings.FieldsFunc(o.tags, func(r rune) bool { return r == ',' || r == ' ' })
	}
	plan, err := swap.Make(swap.Options{Dir: wd, Patterns: patterns, Tags: tags, Reverse: o.reverse, Exported: o.exported})
	if err != nil {
		return 0, err
	}
	findings, err := plan.Offer(offers, o.fix || o.diff)
	if err != nil {
		return 0, err
	}
	r := newReport(plan, findings, wd)
	files := plan.Files
	if o.fix || o.diff {
		more, notes, err := plan.ModFiles(requirement(o))
		if o.diff && errors.Is(err, swap.ErrNoVersion) {
			notes, err = []string{err.Error()}, nil
		}
		if err != nil {
			return 0, err
		}
		files = append(files, more...)
		r.Notes = append(r.Notes, notes...)
	}
	for _, f := range files {
		r.Files = append(r.Files, relative(wd, f.Path))
	}

	switch {
	case o.fix:
		if err := write(files); err != nil {
			return 0, err
		}
	case o.diff:
		for _, f := range files {
			if _, err := stdout.Write(diffOf(wd, f)); err != nil {
				return 0, err
			}
		}
		stdout = stderr // the diff stands alone
	}
	if o.json {
		err = r.writeJSON(stdout)
	} else {
		err = r.writeText(stdout, o)
	}
	if err != nil {
		return 0, err
	}
	if !o.fix && (len(files) > 0 || len(findings) > 0) {
		return exitToDo, nil
	}
	return exitDone, nil
}

// requirement returns what go.mod gets: what the flags say, else xexec in the
// version of this command, since both are released together.
func requirement(o options) swap.Requirement {
	r := swap.Requirement{Version: o.require, Replace: o.replace}
	if r.Version != "" || r.Replace != "" {
		return r
	}
	if info, ok := debug.ReadBuildInfo(); ok && semver.IsValid(info.Main.Version) && semver.Build(info.Main.Version) == "" && !module.IsPseudoVersion(info.Main.Version) {
		r.Version = info.Main.Version
	}
	return r
}

// write replaces files, each at once, and removes those that go. It writes all of them
// beside the old ones before it replaces the first.
func write(files []*swap.File) (err error) {
	var temps []string
	defer func() {
		for _, t := range temps {
			if t != "" {
				os.Remove(t)
			}
		}
	}()
	for _, f := range files {
		if f.New == nil {
			temps = append(temps, "")
			continue
		}
		t, err := writeBeside(f)
		if err != nil {
			return fmt.Errorf("writing %s: %w", f.Path, err)
		}
		temps = append(temps, t)
	}
	for i, f := range files {
		if temps[i] == "" {
			if err := os.Remove(f.Path); err != nil {
				return err
			}
			continue
		}
		if err := os.Rename(temps[i], f.Path); err != nil {
			return err
		}
		temps[i] = ""
	}
	return nil
}

func writeBeside(f *swap.File) (string, error) {
	mode := os.FileMode(0o644)
	if info, err := os.Stat(f.Path); err == nil {
		mode = info.Mode().Perm()
	}
	t, err := os.CreateTemp(filepath.Dir(f.Path), "."+filepath.Base(f.Path)+".*")
	if err != nil {
		return "", err
	}
	_, err = t.Write(f.New)
	if e := t.Chmod(mode); err == nil {
		err = e
	}
	if e := t.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(t.Name())
	}
	return t.Name(), err
}

// help documents the analyzers.
func help(names []string, stdout, stderr io.Writer) int {
	if len(names) == 0 {
		for _, a := range migrate.Analyzers() {
			title, _, _ := strings.Cut(a.Doc, "\n")
			fmt.Fprintf(stdout, "%-14s %s\n", a.Name, title)
		}
		return exitDone
	}
	for _, name := range names {
		found := false
		for _, a := range migrate.Analyzers() {
			if a.Name == name {
				fmt.Fprintf(stdout, "%s: %s\n", a.Name, a.Doc)
				found = true
			}
		}
		if !found {
			fmt.Fprintf(stderr, "xexec-migrate: there is no analyzer %q\n", name)
			return exitUsage
		}
	}
	return exitDone
}
