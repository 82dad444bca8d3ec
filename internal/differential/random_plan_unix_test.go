//go:build unix

package differential_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// A plan is a program that starts one command, of all that a caller can choose.
// It is made of bytes, by a fuzzer or a random generator, and any bytes make a
// plan whose outcome under os/exec does not depend on chance.
type plan struct {
	method   string // run, start, output, combined
	path     string // "" for the helper command, else what is wrong with it
	dir, env string
	attr     string
	attempts string // what is called besides, and must fail

	stdin, stdout, stderr    string
	stdinSize                int
	outReading, errReading   string // of a StdoutPipe, a StderrPipe
	ctx, cancel, delay, held string
	moment                   int            // when the context ends that ends sometime, in 20 µs
	signal                   syscall.Signal // that the caller sends
	gate                     bool           // the child waits before it ends
	trap                     bool           // it has a handler for SIGTERM
	deadline                 bool           // that is why the context ends
	gap                      bool           // one of ExtraFiles is nil

	early []string // what the child does before it is ready
	late  []string // and after the gate, the end last

	timed bool // a delay has to expire: slowness can change the result
}

// choices turns bytes into decisions. When there are none left, the first
// alternative is taken, which is the simplest.
type choices struct{ data []byte }

func (c *choices) pick(n int) int {
	if len(c.data) == 0 {
		return 0
	}
	b := c.data[0]
	c.data = c.data[1:]
	return int(b) % n
}

// of picks one of the words in a list; one that stands there more than once is
// picked more often.
func (c *choices) of(list string) string {
	words := strings.Fields(list)
	return strings.Trim(words[c.pick(len(words))], "-")
}

var sizes = []int{0, 1, 100, 4095, 4096, 4097, 65535, 65536, 65537, 1 << 20, 1<<20 + 1}

// smallSizes fit into the smallest pipe, and arrive there whole or not at all.
const smallSizes = 5

func (c *choices) size(n int) int { return sizes[c.pick(n)] }

func newPlan(data []byte) *plan {
	c := &choices{data}
	p := &plan{
		method: c.of("run start start start output output combined"),
		path:   c.of("- - - - - - - - - - - - - - - - missing bare empty directory text busy err"),
		dir:    c.of("- - - - temp temp missing file"),
		env:    c.of("- - - - some none twice nul"),
		attr:   c.of("- - - - - group session"),
		attempts: c.of("- - - - - wait-first pipes-twice output-first combined-first " +
			"start-twice pipes-late output-late"),
		stdin: c.of("- - file offset buffer bytewise pipe pipe failing stuck"),
		ctx:   c.of("- - - background running running running before exited after sometime sometime"),
	}
	c.output(p)
	c.child(p)
	c.ending(p)
	c.more(p)
	return p
}

// output decides where the output goes.
func (c *choices) output(p *plan) {
	kinds := "- file buffer buffer pipe pipe failing short next"
	if p.method != "start" {
		kinds = "- file buffer buffer buffer failing short" // nobody could read
	}
	if p.method != "output" && p.method != "combined" {
		p.stdout = c.of(kinds)
	} else {
		kinds = "- - - file buffer failing"
	}
	if p.method != "combined" {
		p.stderr = c.of(strings.Replace(kinds, "next", "same same same", 1))
	}
	if failing(p.stdout) && failing(p.stderr) {
		p.stderr = "buffer" // there can be only one first error
	}
	if p.stdin == "failing" && (failing(p.stdout) || failing(p.stderr)) {
		p.stdin = "buffer"
	}
	const readings = "before before after during early partial"
	if p.stdout == "pipe" {
		p.outReading = c.of(readings)
	}
	if p.stderr == "pipe" {
		p.errReading = c.of(readings)
	}
	if p.stderr == "same" && p.stdout != "buffer" && p.stdout != "file" {
		p.stderr = ""
	}
}

func failing(kind string) bool { return kind == "failing" || kind == "short" }

// child decides what the child does with its input and output.
func (c *choices) child(p *plan) {
	for range c.pick(3) {
		p.early = append(p.early, c.of("env where ids"))
	}
	n := len(sizes)
	if slow := p.outReading + p.errReading; strings.Contains(slow, "after") || p.stdout == "next" {
		n = smallSizes // nobody reads before it has exited
	}
	p.stdinSize = c.size(len(sizes))
	switch use := c.of("eat eat cat sip -"); {
	case p.stdin == "stuck":
	case p.stdin == "failing":
		p.early = append(p.early, "eat") // or it may be gone before the failure
	case use == "cat" && (n == smallSizes || failing(p.stdout)):
		p.early = append(p.early, "eat")
	case use != "":
		p.early = append(p.early, use)
	case p.stdin == "pipe":
		p.stdinSize = min(p.stdinSize, 4096) // must go in before it is closed
	}
	if p.stdin == "pipe" && len(p.early) > 0 && p.early[len(p.early)-1] == "sip" {
		p.stdinSize = min(p.stdinSize, 4096)
	}
	if p.stdin == "bytewise" {
		p.stdinSize = min(p.stdinSize, 4097)
	}

	for range 1 + c.pick(3) {
		p.early = append(p.early, fmt.Sprint(c.of("out out err"), ":", c.size(n)))
	}
	// An end that is closed early, or that fails, meets a child that is about
	// to write once: so little that it succeeds, or so much that it cannot.
	once := func(stream, kind, reading string) {
		if !failing(kind) && reading != "early" && reading != "partial" {
			return
		}
		p.early = slices.DeleteFunc(p.early, func(s string) bool {
			return strings.HasPrefix(s, "err") == (stream == "err")
		})
		if stream == "out" && p.stdin != "stuck" {
			p.stdin = "" // the child could not tell what it got
		}
		step := fmt.Sprint(stream, ":", []int{1, 4096, 1 << 20}[c.pick(3)])
		if reading == "early" {
			p.gate = true
			p.late = append(p.late, step)
		} else {
			p.early = append(p.early, step)
		}
	}
	once("out", p.stdout, p.outReading)
	once("err", p.stderr, p.errReading)
}

// ending decides how it all ends.
func (c *choices) ending(p *plan) {
	p.held = c.of("- - - - - early late")
	p.gate = p.gate || c.pick(4) == 0
	if p.ctx == "running" {
		p.gate = true
		p.cancel = c.of("default default wrapped nil nothing finish finish-fails finish-done term term fails")
		p.trap = p.cancel == "term" && c.pick(2) == 0
	} else if p.ctx != "" {
		p.cancel = c.of("default default wrapped wrapped nil nothing fails done")
	}
	if p.ctx == "exited" && (p.method != "start" || seeExit == nil) {
		p.ctx = "after"
	}
	if p.method == "start" && p.ctx != "running" && p.gate && c.pick(3) == 0 {
		p.signal = []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[c.pick(2)]
		p.trap = p.signal == syscall.SIGTERM && c.pick(2) == 0
	}
	p.late = append(p.late, c.of("exit:0 exit:0 exit:0 exit:1 exit:3 exit:255 kill:15 kill:9"))

	p.delay = c.of("- - long")
	reads := strings.Contains(p.outReading+p.errReading, "before") || p.stdout == "next"
	if p.held == "late" && reads || p.held == "early" && (p.stdout == "next" || p.path != "") {
		p.held = "" // or the readers would wait for it
	}
	copies := p.stdin != "" && p.stdin != "file" && p.stdin != "offset" && p.stdin != "pipe"
	for _, kind := range []string{p.stdout, p.stderr} {
		copies = copies || kind == "buffer" || failing(kind)
	}
	copies = copies || p.method == "output" || p.method == "combined"
	if p.held == "late" && copies || p.stdin == "stuck" {
		p.delay = "short"
	}
	if p.ctx == "running" && (p.cancel == "nothing" || p.cancel == "nil" || p.cancel == "fails") && c.pick(2) == 0 {
		p.delay = "short"
	}
	if p.delay == "short" {
		p.timed = true
		if p.ctx == "running" && p.cancel != "default" && p.cancel != "wrapped" && p.cancel != "nothing" && p.cancel != "nil" && p.cancel != "fails" {
			p.cancel = "default" // it would have to end by itself in this time
		}
		if p.ctx == "exited" {
			p.ctx = "after"
		}
	}
	if p.ctx == "sometime" {
		c.endSometime(p)
	}
	if p.held != "" {
		p.early = append(p.early, "hold")
	}
	if p.needsFiles() {
		p.early = append(p.early, "ready")
	}
	if p.gate {
		p.early = append(p.early, "gate")
	}
}

// more decides what was thought of later, so that old bytes keep their meaning.
func (c *choices) more(p *plan) {
	if c.pick(4) == 1 && (p.ctx == "running" || p.ctx == "before") {
		p.deadline = true
		p.timed = p.timed || p.ctx == "running" // the child must be ready by then
	}
	if c.pick(12) == 1 {
		p.late[len(p.late)-1] = "abort"
	}
	// A child that may write only once cannot tell.
	p.gap = c.pick(4) == 1 && !failing(p.stdout) && p.outReading != "early" && p.outReading != "partial"
}

// endSometime makes the plan one in which the context ends at a moment that has
// nothing to do with what the child does.
func (c *choices) endSometime(p *plan) {
	p.moment = c.pick(256)
	p.cancel, p.held, p.signal, p.trap, p.attempts = "default", "", 0, false, ""
	for _, reading := range []*string{&p.outReading, &p.errReading} {
		if *reading != "" {
			*reading = "before"
		}
	}
	if p.stdin == "stuck" || p.stdin == "failing" {
		p.stdin = "" // which error would it be?
	}
	for _, kind := range []*string{&p.stdout, &p.stderr} {
		if failing(*kind) {
			*kind = "buffer"
		}
	}
	if p.delay == "short" {
		p.delay, p.timed = "long", false
	}
}

// needsFiles reports whether the caller must hear of the child.
func (p *plan) needsFiles() bool { return p.gate || p.held != "" }

func (p *plan) script() []string {
	script := append([]string(nil), p.early...)
	if p.gap { // before anything else takes its place
		fd := readyFd
		if p.needsFiles() {
			fd = releaseFd + 1
		}
		script = append([]string{fmt.Sprint("fds:", fd)}, script...)
	}
	if p.trap {
		script = append([]string{"trap"}, script...)
	}
	for i, reading := range []string{p.outReading, p.errReading} {
		if reading == "early" {
			script = append(script, fmt.Sprint("closed:", i+1))
		}
	}
	return append(script, p.late...)
}

func (p *plan) String() string {
	return fmt.Sprintf("%s path=%q dir=%q env=%q attr=%q attempts=%q stdin=%s:%d stdout=%s:%s stderr=%s:%s "+
		"ctx=%q cancel=%q delay=%q held=%q signal=%d deadline=%t gap=%t child=%v",
		p.method, p.path, p.dir, p.env, p.attr, p.attempts, p.stdin, p.stdinSize, p.stdout, p.outReading,
		p.stderr, p.errReading, p.ctx, p.cancel, p.delay, p.held, p.signal, p.deadline, p.gap, p.script())
}
