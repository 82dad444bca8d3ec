package golangci

import (
	"testing"

	"github.com/golangci/plugin-module-register/register"
)

func TestPlugin(t *testing.T) {
	build, err := register.GetPlugin("xexec")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		settings any
		n        int
	}{
		{nil, 8},
		{map[string]any{"analyzers": []string{"osexec", "waitonce"}}, 2},
		{map[string]any{"analyzers": []string{"nonsense"}}, -1},
	} {
		p, err := build(test.settings)
		if err != nil {
			if test.n >= 0 {
				t.Errorf("%v: %v", test.settings, err)
			}
			continue
		}
		analyzers, err := p.BuildAnalyzers()
		if err != nil || len(analyzers) != test.n {
			t.Errorf("%v: %d analyzers, %v", test.settings, len(analyzers), err)
		}
		if p.GetLoadMode() != register.LoadModeTypesInfo {
			t.Error("the analyzers need types")
		}
	}
}
