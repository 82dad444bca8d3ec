// Package pipeline counts words with the system's tools.
package pipeline

import (
	"bytes"
	"context"
	"os/exec"
	"strings"

	"github.com/github/go-pipe/pipe"
)

// stage makes a pipeline stage of a command.
type stage func(name string, cmd *exec.Cmd) pipe.Stage

var newStage stage = pipe.CommandStage

// Words returns the distinct words of text with their counts, most frequent
// first.
func Words(ctx context.Context, text string) ([]string, error) {
	var out bytes.Buffer
	sort := exec.Command("sort")
	sort.Env = append(sort.Environ(), "LC_ALL=C")
	p := pipe.New(pipe.WithStdin(strings.NewReader(text)), pipe.WithStdout(&out))
	p.Add(
		pipe.CommandStage("tr", exec.Command("tr", "-s", " ", "\\n")),
		newStage("sort", sort),
		newStage("uniq", exec.CommandContext(ctx, "uniq", "-c")),
		pipe.Command("sort", "-rn"),
	)
	if err := p.Run(ctx); err != nil {
		return nil, err
	}
	var words []string
	for line := range strings.Lines(out.String()) {
		words = append(words, strings.Join(strings.Fields(line), " "))
	}
	return words, nil
}

// Check runs a single command as a pipeline.
func Check(ctx context.Context, cmd *exec.Cmd) error {
	p := pipe.New()
	p.Add(pipe.CommandStage("check", cmd))
	return p.Run(ctx)
}
