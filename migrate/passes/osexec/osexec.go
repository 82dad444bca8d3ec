// Package osexec defines an analyzer that reports imports of os/exec. Its
// documentation is doc.md.
package osexec

import (
	_ "embed"
	"strconv"

	"example.com/xexec/migrate/internal/xcmd"
	"golang.org/x/tools/go/analysis"
)

//go:embed doc.md
var doc string

// Analyzer reports imports of os/exec.
var Analyzer = &analysis.Analyzer{
	Name: "osexec",
	Doc:  doc,
	URL:  "https://pkg.go.dev/example.com/xexec/migrate/passes/osexec",
	Run:  run,
}

func run(pass *analysis.Pass) (any, error) {
	for _, f := range pass.Files {
		var std analysis.Range
		both := false
		for _, spec := range f.Imports {
			switch path, _ := strconv.Unquote(spec.Path.Value); path {
			case "os/exec":
				std = spec
			case xcmd.Path:
				both = true
			}
		}
		if std != nil && !both {
			pass.ReportRangef(std, "os/exec is imported: xexec-migrate moves a module to %s", xcmd.Path)
		}
	}
	return nil, nil
}
