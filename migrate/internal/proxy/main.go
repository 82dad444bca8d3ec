// Command proxy makes a GOPROXY of this repository: a folder from which the go
// command gets its modules as it gets published ones.
//
//	go run ./internal/proxy DIR
//
// The modules are the root, bench and migrate, made of the work tree's files that
// git does not ignore. All have the version that migrate's go.mod requires of the
// root. A caller sets
//
//	GOPROXY=file://DIR,https://proxy.golang.org GONOSUMDB=example.com
//
// and a GOMODCACHE of its own, since the content of that version changes from one
// run to the next. .ci/proxy is the way to call it.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

const root = "example.com/xexec"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: proxy DIR")
		os.Exit(2)
	}
	if err := fill(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "proxy:", err)
		os.Exit(1)
	}
}

func fill(dir string) error {
	top, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return fmt.Errorf("git rev-parse: %w", err)
	}
	repo := strings.TrimSpace(string(top))
	version, err := required(filepath.Join(repo, "migrate", "go.mod"))
	if err != nil {
		return err
	}
	for _, sub := range []string{"", "bench", "migrate"} {
		if err := publish(dir, repo, sub, version); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(root, sub), err)
		}
	}
	return nil
}

// required returns the version of the root module that a go.mod requires.
func required(name string) (string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	mod, err := modfile.Parse(name, data, nil)
	if err != nil {
		return "", err
	}
	for _, r := range mod.Require {
		if r.Mod.Path == root {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("%s does not require %s", name, root)
}

// publish writes the files of one module's version, as a proxy serves them.
func publish(dir, repo, sub, version string) error {
	m := module.Version{Path: strings.TrimSuffix(root+"/"+sub, "/"), Version: version}
	at := filepath.Join(dir, filepath.FromSlash(m.Path), "@v")
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	files, err := filesOf(repo, sub)
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	if err := zip.Create(&archive, m, files); err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(repo, sub, "go.mod"))
	if err != nil {
		return err
	}
	info := fmt.Sprintf("{\"Version\":%q,\"Time\":%q}\n", version, time.Now().UTC().Format(time.RFC3339))
	for name, data := range map[string][]byte{
		"list":            []byte(version + "\n"),
		version + ".info": []byte(info),
		version + ".mod":  mod,
		version + ".zip":  archive.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(at, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// filesOf returns what git has or would take of a module. The root's license
// goes for nested modules too, as with the go command's own archives.
func filesOf(repo, sub string) ([]zip.File, error) {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", ".")
	cmd.Dir = filepath.Join(repo, sub)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	var files []zip.File
	licensed := false
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		path := filepath.Join(repo, sub, filepath.FromSlash(name))
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
			continue // deleted and not committed yet, or a link
		}
		files = append(files, file{name, path})
		licensed = licensed || name == "LICENSE"
	}
	if !licensed {
		files = append(files, file{"LICENSE", filepath.Join(repo, "LICENSE")})
	}
	return files, nil
}

type file struct{ name, path string }

func (f file) Path() string                 { return f.name }
func (f file) Lstat() (os.FileInfo, error)  { return os.Lstat(f.path) }
func (f file) Open() (io.ReadCloser, error) { return os.Open(f.path) }
