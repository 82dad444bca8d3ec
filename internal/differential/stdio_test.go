package differential_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing/iotest"

	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// A sliceWriter cannot be compared with ==.
type sliceWriter []*bytes.Buffer

func (w sliceWriter) Write(b []byte) (int, error) { return w[0].Write(b) }

type shortWriter struct{}

func (shortWriter) Write(b []byte) (int, error) { return len(b) / 2, nil }

var stdioCases = []diffCase{
	{"nothing", "nil", func(r *report, p xtest.Package) {
		r.run(p.Helper(r, "say", "o:out", "e:err"))
	}},
	{"Stdin nil", "output: \"\"", func(r *report, p xtest.Package) {
		r.output(p.Helper(r, "cat"))
	}},
	{"Stdin file", "output: \"from a file\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "cat")
		c.Std().Stdin = fileWith(r, "from a file")
		r.output(c)
	}},
	{"Stdin file with an offset", "output: \"a file\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "cat")
		f := fileWith(r, "from a file")
		f.Seek(5, io.SeekStart)
		c.Std().Stdin = f
		r.output(c)
	}},
	{"Stdin buffer", "output: \"0123456789", func(r *report, p xtest.Package) {
		c := p.Helper(r, "cat")
		c.Std().Stdin = bytes.NewBufferString(testkit.Bulk)
		r.output(c)
	}},
	{"Stdin reader byte by byte", "output: \"slow\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "cat")
		c.Std().Stdin = iotest.OneByteReader(strings.NewReader("slow"))
		r.output(c)
	}},
	{"Stdin reader that nobody reads", "Output: \"nil\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:out")
		c.Std().Stdin = strings.NewReader(testkit.Bulk)
		r.output(c)
	}},
	{"Stdin failing", testkit.ErrBroken.Error(), func(r *report, p xtest.Package) {
		c := p.Helper(r, "cat")
		c.Std().Stdin = io.MultiReader(strings.NewReader("some"), iotest.ErrReader(testkit.ErrBroken))
		r.output(c)
	}},
	{"Stdin failing and exit 3", "exit status 3", func(r *report, p xtest.Package) {
		c := p.Helper(r, "cat", "3")
		c.Std().Stdin = iotest.ErrReader(testkit.ErrBroken)
		r.output(c)
	}},
	{"StdinPipe", "output: \"typed\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "cat")
		var out bytes.Buffer
		c.Std().Stdout = &out
		w, err := c.StdinPipe()
		r.err("StdinPipe", err)
		if r.start(c) {
			_, err := io.WriteString(w, "typed")
			r.err("Write", err)
			r.err("Close", w.Close())
			r.err("Close again", w.Close())
			r.wait(c)
			_, err = io.WriteString(w, "late")
			r.err("Write after Wait", err)
		}
		r.note("output", out.String())
	}},
	{"Stdout and Stderr files", "out: \"some\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:some", "e:other")
		out, err := fileWith(r, ""), fileWith(r, "")
		c.Std().Stdout, c.Std().Stderr = out, err
		r.run(c)
		r.note("out", contents(r, out))
		r.note("err", contents(r, err))
	}},
	{"Stdout and Stderr the same file", "both: \"onetwothree\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:one", "e:two", "o:three")
		f := fileWith(r, "")
		c.Std().Stdout, c.Std().Stderr = f, f
		r.run(c)
		r.note("both", contents(r, f))
	}},
	{"Stdout and Stderr buffers", "err: \"0123456789", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:"+testkit.Bulk, "e:"+testkit.Bulk, "x:1")
		var out, err bytes.Buffer
		c.Std().Stdout, c.Std().Stderr = &out, &err
		r.run(c)
		r.note("out", out.String())
		r.note("err", err.String())
	}},
	{"the same writer twice", "both: \"onetwothree\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:one", "e:two", "o:three")
		var b bytes.Buffer
		c.Std().Stdout, c.Std().Stderr = &b, &b
		r.run(c)
		r.note("both", b.String())
	}},
	{"a writer that cannot be compared", "err: \"other\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:some", "e:other")
		out, err := sliceWriter{new(bytes.Buffer)}, sliceWriter{new(bytes.Buffer)}
		c.Std().Stdout, c.Std().Stderr = out, err
		r.run(c)
		r.note("out", out[0].String())
		r.note("err", err[0].String())
	}},
	{"Stdout failing", testkit.ErrBroken.Error(), func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:some")
		w := &testkit.FailingWriter{Room: 2}
		c.Std().Stdout = w
		r.run(c)
		r.note("got", string(w.Got))
	}},
	{"Stderr failing and exit 3", "exit status 3", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "e:some", "x:3")
		w := &testkit.FailingWriter{Room: 2}
		c.Std().Stderr = w
		r.run(c)
		r.note("got", string(w.Got))
	}},
	{"Stdout short", "short write", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:some")
		c.Std().Stdout = shortWriter{}
		r.run(c)
	}},
	{"StdoutPipe and StderrPipe", "err: \"other\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:some", "e:other")
		out, e := c.StdoutPipe()
		r.err("StdoutPipe", e)
		err, e := c.StderrPipe()
		r.err("StderrPipe", e)
		if r.start(c) {
			b, e := io.ReadAll(out)
			r.note("out", string(b))
			r.err("ReadAll", e)
			b, e = io.ReadAll(err)
			r.note("err", string(b))
			r.err("ReadAll", e)
			r.wait(c)
		}
	}},
	{"Stdin of one is the closed StdoutPipe of the other", "success true", func(r *report, p xtest.Package) {
		first, second := p.Helper(r, "exit", "0"), p.Helper(r, "cat")
		pipe, _ := first.StdoutPipe()
		pipe.Close()
		second.Std().Stdin = pipe
		r.run(second)
		r.run(first)
	}},
	{"StdoutPipe closed by the reader", "Close: \"nil\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "serve", "0")
		in, _ := c.StdinPipe()
		out, _ := c.StdoutPipe()
		if r.start(c) {
			r.err("Close", out.Close())
			_, err := out.Read(make([]byte, 1))
			r.note("Read is ErrClosed", errors.Is(err, os.ErrClosed))
			in.Close()
			c.Wait() // The child may or may not have met the closed pipe.
		}
	}},
	{"StdoutPipe replaced", "ReadAll: \"nil\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:some")
		pipe, _ := c.StdoutPipe()
		var out bytes.Buffer
		c.Std().Stdout = &out
		if r.start(c) {
			b, err := io.ReadAll(pipe)
			r.note("pipe", string(b))
			r.err("ReadAll", err)
			r.wait(c)
			r.note("output", out.String())
		}
	}},
	{"nil files", "success true", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:some")
		var none *os.File
		c.Std().Stdin, c.Std().Stdout, c.Std().Stderr = none, none, none
		r.run(c)
	}},
	{"Stdin of one is StdoutPipe of the other", "output: \"through\"", func(r *report, p xtest.Package) {
		first, second := p.Helper(r, "say", "o:through"), p.Helper(r, "cat")
		second.Std().Stdin, _ = first.StdoutPipe()
		if r.start(first) {
			r.output(second)
			r.wait(first)
		}
	}},
	{"Output with exit 3", "code 3 stderr nil false \\\"some", func(r *report, p xtest.Package) {
		r.output(p.Helper(r, "say", "o:out", "e:some", "x:3"))
	}},
	{"Output with exit 3 and no error output", "stderr nil true", func(r *report, p xtest.Package) {
		r.output(p.Helper(r, "say", "x:3"))
	}},
	{"Output with much error output", "omitting 30464 bytes", func(r *report, p xtest.Package) {
		r.output(p.Helper(r, "say", "e:"+testkit.Bulk, "x:3"))
	}},
	{"Output with Stderr set", "stderr nil true", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:out", "e:err", "x:3")
		var err bytes.Buffer
		c.Std().Stderr = &err
		r.output(c)
		r.note("err", err.String())
	}},
	{"CombinedOutput with exit 3", "output: \"onetwothree\"", func(r *report, p xtest.Package) {
		c := p.Helper(r, "say", "o:one", "e:two", "o:three", "x:3")
		out, err := c.CombinedOutput()
		r.note("output", string(out))
		r.err("CombinedOutput", err)
		r.state(c)
	}},
}
