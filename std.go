package xexec

import (
	"context"
	"os"
	"os/exec"
	"reflect"
	"weak"
)

// FromStd returns cmd as a Cmd. It is the same object, started or not: what one
// side sets the other sees.
func FromStd(cmd *exec.Cmd) *Cmd { return (*Cmd)(cmd) }

// Std returns c as os/exec's type, for functions that take one. It is the same
// object. Such a function may set fields, make pipes and start the command; its
// I/O and its context are then os/exec's business, and everything else works as
// for a command that [Cmd.Start] started.
//
// Start a command on one side only, and do not call os/exec's Wait on a command
// that is waited for here: it takes the exit status away from the others.
func (c *Cmd) Std() *exec.Cmd { return (*exec.Cmd)(c) }

// Clone returns a command that is configured like c and has not been started,
// whatever became of c. It shares with c what the fields point to, and has c's
// context and settings. Stdin, Stdout and Stderr are nil where c's were made by
// a method (StdinPipe, Output and so on).
func (c *Cmd) Clone() *Cmd {
	s := stateOf(c)
	s.mu.Lock()
	defer s.mu.Unlock()

	var d *Cmd
	if s.ctx == nil && hasContext(c.Std()) {
		copy := *c // the only way to carry a context that we cannot name
		copy.Process, copy.ProcessState = nil, nil
		d = &copy
	} else {
		d = FromStd(configuration(c.Std(), s.ctx))
	}
	if s.made(d.Stdin) {
		d.Stdin = nil
	}
	if s.made(d.Stdout) {
		d.Stdout = nil
	}
	if s.made(d.Stderr) {
		d.Stderr = nil
	}
	if isDefaultCancel(d.Cancel) {
		d.Cancel = defaultCancel(d)
	}
	t := stateOf(d)
	t.ctx, t.settings = s.ctx, s.settings
	return d
}

// configuration returns a fresh os/exec command with the given context and with
// the exported fields of in that are set before a start. It does not touch the
// others, which a Start or Wait may be writing.
func configuration(in *exec.Cmd, ctx context.Context) *exec.Cmd {
	const unresolved = "./x" // a name that is not looked up
	out := exec.Command(unresolved)
	if ctx != nil {
		out = exec.CommandContext(ctx, unresolved)
	}
	from, to := reflect.ValueOf(in).Elem(), reflect.ValueOf(out).Elem()
	for i := range from.NumField() {
		switch f := from.Type().Field(i); {
		case !f.IsExported(), f.Name == "Process", f.Name == "ProcessState":
		default:
			to.Field(i).Set(from.Field(i))
		}
	}
	return out
}

// hasContext reports whether cmd was made with a context, here or in os/exec.
func hasContext(cmd *exec.Cmd) bool {
	ctx := reflect.ValueOf(cmd).Elem().FieldByName("ctx")
	return ctx.IsValid() && ctx.Kind() == reflect.Interface && !ctx.IsNil()
}

// adopt makes the run of a process that os/exec's Start, or the caller's own
// code, has put into c. The caller holds s.mu.
func (s *state) adopt(c *Cmd) *run {
	r := &run{
		cmd:      weak.Make(c),
		proc:     c.Process,
		pid:      c.Process.Pid,
		foreign:  true,
		slow:     waitMayBlock(c.Std()),
		settings: s.settings,
		pipes:    s.pipes,
		lead:     make(chan struct{}, 1),
		done:     make(chan struct{}),
	}
	r.leads = leadsGroup(c.SysProcAttr)
	if s.wholeTree && r.leads {
		r.tree, r.patience = adoptTree(), c.WaitDelay
	}
	s.pipes = nil
	if s.done != nil {
		r.done = s.done
		defer r.waitInBackground(c)
	}
	if state := c.ProcessState; state != nil { // os/exec's Wait was called
		r.exited, r.end.settled, r.processState = true, true, state
		if !state.Success() {
			r.exitErr = &ExitError{ProcessState: state}
		}
		r.finish()
	}
	return r
}

// waitMayBlock reports whether os/exec's Wait for cmd may have to wait for more
// than the process: for a goroutine that copies, or a Cancel of the caller's.
func waitMayBlock(cmd *exec.Cmd) bool {
	for _, f := range []any{cmd.Stdin, cmd.Stdout, cmd.Stderr} {
		if _, ok := f.(*os.File); f != nil && !ok {
			return true
		}
	}
	return cmd.Cancel != nil && !isDefaultCancel(cmd.Cancel)
}

// Pid returns the process id of the command, 0 before Start.
func (c *Cmd) Pid() int {
	if r := stateOf(c).current(c); r != nil {
		return r.pid
	}
	return 0
}
