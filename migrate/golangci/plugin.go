// Package golangci makes the analyzers of example.com/xexec/migrate a module plugin
// of golangci-lint, under the name xexec. Its settings may name the analyzers to
// run; the default is all.
//
//	# .custom-gcl.yml
//	version: v2.5.0
//	plugins:
//	  - module: example.com/xexec/migrate
//	    import: example.com/xexec/migrate/golangci
//	    version: v0.9.0 # or path: a checkout of it
//
//	# .golangci.yml
//	version: "2"
//	linters:
//	  enable: [xexec]
//	  settings:
//	    custom:
//	      xexec:
//	        type: module
//	        settings:
//	          analyzers: [osexec, processkill]
package golangci

import (
	"fmt"
	"strings"

	"example.com/xexec/migrate"
	"github.com/golangci/plugin-module-register/register"
	"golang.org/x/tools/go/analysis"
)

func init() {
	register.Plugin("xexec", newPlugin)
}

type settings struct {
	Analyzers []string `json:"analyzers"`
}

type plugin struct{ analyzers []*analysis.Analyzer }

func newPlugin(raw any) (register.LinterPlugin, error) {
	s, err := register.DecodeSettings[settings](raw)
	if err != nil {
		return nil, fmt.Errorf("xexec: settings: %w", err)
	}
	if len(s.Analyzers) == 0 {
		return plugin{migrate.Analyzers()}, nil
	}
	var p plugin
	for _, name := range s.Analyzers {
		n := len(p.analyzers)
		for _, a := range migrate.Analyzers() {
			if strings.EqualFold(a.Name, name) {
				p.analyzers = append(p.analyzers, a)
			}
		}
		if len(p.analyzers) == n {
			return nil, fmt.Errorf("xexec: settings: there is no analyzer %q", name)
		}
	}
	return p, nil
}

// BuildAnalyzers returns the analyzers that the settings name.
func (p plugin) BuildAnalyzers() ([]*analysis.Analyzer, error) { return p.analyzers, nil }

// GetLoadMode asks for types.
func (p plugin) GetLoadMode() string { return register.LoadModeTypesInfo }
