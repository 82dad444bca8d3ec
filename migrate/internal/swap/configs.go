package swap

import (
	"encoding/json"
	"fmt"
	"go/build"
	"go/build/constraint"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A config is one way to build the module.
type config struct {
	goos, goarch string
	cgo          bool
	tags         []string // sorted
}

func (c config) String() string {
	s := c.goos + "/" + c.goarch
	if len(c.tags) > 0 {
		s += " with tags " + strings.Join(c.tags, ",")
	}
	return s
}

func (c config) env() []string {
	cgo := "0"
	if c.cgo {
		cgo = "1"
	}
	return append(os.Environ(), "GOOS="+c.goos, "GOARCH="+c.goarch, "CGO_ENABLED="+cgo)
}

// builds reports whether the file is part of its package under c.
func (c config) builds(f *srcFile) bool {
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH, ctx.CgoEnabled, ctx.BuildTags = c.goos, c.goarch, c.cgo, c.tags
	ok, err := ctx.MatchFile(filepath.Dir(f.path), filepath.Base(f.path))
	return ok && err == nil
}

func (c config) equal(d config) bool {
	return c.goos == d.goos && c.goarch == d.goarch && c.cgo == d.cgo && slices.Equal(c.tags, d.tags)
}

// A platform is a line of "go tool dist list -json".
type platform struct {
	GOOS, GOARCH string
	CgoSupported bool
}

// configsFor returns the configurations that files are built for: the host's,
// one for each system that a file name or a build constraint mentions, and as
// many more as it takes for every file to be part of one. Files that no
// configuration can contain are returned too.
func configsFor(dir string, files []*srcFile, tags []string) ([]config, []*srcFile, error) {
	var env struct{ GOOS, GOARCH, CGO_ENABLED string }
	if err := goJSON(dir, &env, "env", "-json", "GOOS", "GOARCH", "CGO_ENABLED"); err != nil {
		return nil, nil, err
	}
	var platforms []platform
	if err := goJSON(dir, &platforms, "tool", "dist", "list", "-json"); err != nil {
		return nil, nil, err
	}
	slices.Sort(tags)
	host := config{env.GOOS, env.GOARCH, env.CGO_ENABLED == "1", tags}
	configs := []config{host}
	add := func(c config) {
		if !slices.ContainsFunc(configs, c.equal) {
			configs = append(configs, c)
		}
	}

	mentioned := mentions(files, platforms)
	for _, p := range platforms {
		if p.GOOS == "android" || p.GOOS == "ios" {
			continue // linux and darwin stand for them, unless a file needs them
		}
		if mentioned[p.GOOS] && p == preferred(platforms, p.GOOS, host.goarch) && p.GOOS != host.goos {
			add(config{p.GOOS, p.GOARCH, false, tags})
		}
	}
	var left []*srcFile
	for _, f := range files {
		if f.ignored || slices.ContainsFunc(configs, func(c config) bool { return c.builds(f) }) {
			continue
		}
		if c, ok := findConfig(f, host, platforms); ok {
			add(c)
		} else {
			left = append(left, f)
		}
	}
	return configs, left, nil
}

// mentions returns every tag and file name part in files that could be a GOOS.
func mentions(files []*srcFile, platforms []platform) map[string]bool {
	found := make(map[string]bool)
	for _, f := range files {
		if f.ignored {
			continue
		}
		for tag := range constraintTags(f.constraint) {
			found[tag] = true
		}
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(f.path), ".go"), "_test")
		parts := strings.Split(name, "_")
		for _, part := range parts[max(1, len(parts)-2):] {
			found[part] = true
		}
	}
	return found
}

func constraintTags(x constraint.Expr) map[string]bool {
	tags := make(map[string]bool)
	var walk func(constraint.Expr)
	walk = func(x constraint.Expr) {
		switch x := x.(type) {
		case *constraint.AndExpr:
			walk(x.X)
			walk(x.Y)
		case *constraint.OrExpr:
			walk(x.X)
			walk(x.Y)
		case *constraint.NotExpr:
			walk(x.X)
		case *constraint.TagExpr:
			tags[x.Tag] = true
		}
	}
	walk(x)
	return tags
}

// preferred returns the platform to stand for goos: that with the host's
// architecture, else amd64, else the first.
func preferred(platforms []platform, goos, goarch string) platform {
	for _, arch := range []string{goarch, "amd64", ""} {
		for _, p := range platforms {
			if p.GOOS == goos && (p.GOARCH == arch || arch == "") {
				return p
			}
		}
	}
	return platform{}
}

// findConfig returns the configuration nearest to the host's that builds f.
func findConfig(f *srcFile, host config, platforms []platform) (config, bool) {
	var custom []string
	for tag := range constraintTags(f.constraint) {
		known := slices.ContainsFunc(platforms, func(p platform) bool { return p.GOOS == tag || p.GOARCH == tag })
		if !known && tag != "ignore" && tag != "unix" && tag != "cgo" && !strings.HasPrefix(tag, "go1") {
			custom = append(custom, tag)
		}
	}
	slices.Sort(custom)
	if len(custom) > 10 {
		custom = custom[:10]
	}
	order := []platform{{host.goos, host.goarch, true}}
	for _, p := range platforms {
		if p == preferred(platforms, p.GOOS, host.goarch) {
			order = append(order, p)
		}
	}
	order = append(order, platforms...)
	for _, p := range order {
		for set := range 1 << len(custom) {
			tags := slices.Clone(host.tags)
			for i, tag := range custom {
				if set&(1<<i) != 0 && !slices.Contains(tags, tag) {
					tags = append(tags, tag)
				}
			}
			slices.Sort(tags)
			for _, cgo := range []bool{host.cgo && p.GOOS == host.goos && p.GOARCH == host.goarch, false} {
				if c := (config{p.GOOS, p.GOARCH, cgo, tags}); c.builds(f) {
					return c, true
				}
			}
		}
	}
	return config{}, false
}

// goJSON runs the go command in dir and decodes what it prints.
func goJSON(dir string, v any, args ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		if ee, ok := err.(*exec.ExitError); ok && len(ee.Stderr) > 0 {
			return fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(ee.Stderr)))
		}
		return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	if err := json.Unmarshal(out, v); err != nil {
		return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return nil
}
