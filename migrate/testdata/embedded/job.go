// Package embedded has a command with a name and a log.
package embedded

import (
	"bytes"
	"fmt"
	"os/exec"
	"time"
)

// Job is a command that remembers how long it took.
type Job struct {
	*exec.Cmd
	Name string
	log  bytes.Buffer
	took time.Duration
}

// New returns a job.
func New(name, path string, args ...string) *Job {
	j := &Job{Cmd: exec.Command(path, args...), Name: name}
	j.Stdout = &j.log
	j.Stderr = &j.log
	return j
}

// Run hides the command's Run.
func (j *Job) Run() error {
	start := time.Now()
	err := j.Cmd.Run()
	j.took = time.Since(start)
	if err != nil {
		return fmt.Errorf("job %s: %w", j.Name, err)
	}
	return nil
}

// Log returns what the job wrote.
func (j *Job) Log() string { return j.log.String() }

// Stop kills the job's process.
func (j *Job) Stop() {
	if j.Process != nil {
		_ = j.Process.Kill()
	}
}

// pool has commands as values.
type pool struct {
	template exec.Cmd
	started  []*exec.Cmd
	byPid    map[int]*exec.Cmd
}

func newPool(path string) *pool {
	return &pool{
		template: exec.Cmd{Path: path, Args: []string{path}},
		byPid:    make(map[int]*exec.Cmd),
	}
}

func (p *pool) start(args ...string) (*exec.Cmd, error) {
	c := p.template
	c.Args = append([]string{p.template.Path}, args...)
	if err := c.Start(); err != nil {
		return nil, err
	}
	p.started = append(p.started, &c)
	p.byPid[c.Process.Pid] = &c
	return &c, nil
}

func (p *pool) wait() (first error) {
	for _, c := range p.started {
		if err := c.Wait(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
