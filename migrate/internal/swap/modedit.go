package swap

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// A modEditor edits go.mod line by line.
type modEditor struct {
	mod   *modfile.File
	src   []byte
	edits []edit
}

// insert adds text at an offset, behind what was added there before.
func (e *modEditor) insert(at int, text string) {
	for i := range e.edits {
		if e.edits[i].start == at && e.edits[i].end == at {
			e.edits[i].text += text
			return
		}
	}
	e.edits = append(e.edits, edit{at, at, text})
}

// line returns the bounds of the line that a part of the file starts on.
func (e *modEditor) line(x modfile.Expr) (int, int) {
	start, end := x.Span()
	lo, hi, _ := lineOf(e.src, start.Byte, end.Byte)
	return lo, hi
}

// newline ends the file's last line if it does not end.
func (e *modEditor) newline(at int) string {
	if at > 0 && e.src[at-1] != '\n' {
		return "\n"
	}
	return ""
}

func (e *modEditor) setGo(v string) {
	if e.mod.Go == nil {
		_, end := e.line(e.mod.Module.Syntax)
		e.insert(end, e.newline(end)+"\ngo "+v+"\n")
		return
	}
	start, end := e.mod.Go.Syntax.Span()
	text := e.src[start.Byte:end.Byte]
	at := start.Byte + bytes.LastIndex(text, []byte(e.mod.Go.Version))
	e.edits = append(e.edits, edit{at, at + len(e.mod.Go.Version), v})
}

// require adds a requirement to the block of its kind, in the order of paths.
func (e *modEditor) require(path, v, comment string) {
	indirect := strings.HasPrefix(comment, "indirect")
	if comment != "" {
		comment = " // " + comment
	}
	var block *modfile.LineBlock
	best := 0
	last := -1 // after the last requirement
	alone := false
	for _, stmt := range e.mod.Syntax.Stmt {
		switch stmt := stmt.(type) {
		case *modfile.LineBlock:
			if len(stmt.Token) == 0 || stmt.Token[0] != "require" {
				continue
			}
			_, last = e.line(&stmt.RParen)
			alone = false
			kind := 1 // a block of the other kind
			for _, l := range stmt.Line {
				if strings.HasPrefix(suffix(l), "indirect") == indirect {
					kind = 2
				}
			}
			if len(stmt.Line) == 0 {
				kind = 2
			}
			if kind == 2 && best < 2 {
				block, best = stmt, kind
			}
		case *modfile.Line:
			if len(stmt.Token) > 0 && stmt.Token[0] == "require" {
				_, last = e.line(stmt)
				alone = true
			}
		}
	}
	if block != nil {
		at, _ := e.line(&block.RParen)
		for _, l := range block.Line {
			if len(l.Token) > 0 && l.Token[0] > path {
				at, _ = e.line(l)
				if cs := l.Comments.Before; len(cs) > 0 {
					at, _, _ = lineOf(e.src, cs[0].Start.Byte, cs[0].Start.Byte)
				}
				break
			}
		}
		e.insert(at, "\t"+path+" "+v+comment+"\n")
		return
	}
	text := "require " + path + " " + v + comment + "\n"
	if last < 0 {
		last = len(e.src)
		for _, x := range []modfile.Expr{e.mod.Module.Syntax, goSyntax(e.mod), toolchainSyntax(e.mod)} {
			if x != nil {
				_, last = e.line(x)
			}
		}
	}
	if !alone || indirect {
		text = "\n" + text
	}
	e.insert(last, e.newline(last)+text)
}

func goSyntax(mod *modfile.File) modfile.Expr {
	if mod.Go == nil {
		return nil
	}
	return mod.Go.Syntax
}

func toolchainSyntax(mod *modfile.File) modfile.Expr {
	if mod.Toolchain == nil {
		return nil
	}
	return mod.Toolchain.Syntax
}

// change sets the version of a requirement and says so in its comment.
func (e *modEditor) change(r *modfile.Require, v, comment string) {
	e.version(r, v)
	sep := " // "
	if len(r.Syntax.Comments.Suffix) > 0 {
		sep = "; "
	}
	_, end := e.line(r.Syntax)
	at := end - (len(e.src[:end]) - len(bytes.TrimRight(e.src[:end], "\r\n")))
	e.insert(at, sep+comment)
}

// restore undoes change.
func (e *modEditor) restore(r *modfile.Require, v string) {
	e.version(r, v)
	start, end := e.line(r.Syntax)
	line := string(e.src[start:end])
	i := strings.Index(line, v+withoutXexec)
	from := len(strings.TrimSuffix(strings.TrimSuffix(line[:i], "; "), " // "))
	to := len(strings.TrimRight(line, "\r\n"))
	e.edits = append(e.edits, edit{start + from, start + to, ""})
}

func (e *modEditor) version(r *modfile.Require, v string) {
	start, end := r.Syntax.Span()
	at := start.Byte + bytes.LastIndex(e.src[start.Byte:end.Byte], []byte(r.Mod.Version))
	e.edits = append(e.edits, edit{at, at + len(r.Mod.Version), v})
}

// replace adds a replacement behind the others.
func (e *modEditor) replace(path, dir string) {
	text := path + " => " + modfile.AutoQuote(dir) + "\n"
	for _, stmt := range slices.Backward(e.mod.Syntax.Stmt) {
		switch stmt := stmt.(type) {
		case *modfile.LineBlock:
			if len(stmt.Token) > 0 && stmt.Token[0] == "replace" {
				at, _ := e.line(&stmt.RParen)
				e.insert(at, "\t"+text)
				return
			}
		case *modfile.Line:
			if len(stmt.Token) > 0 && stmt.Token[0] == "replace" {
				_, at := e.line(stmt)
				e.insert(at, e.newline(at)+"replace "+text)
				return
			}
		}
	}
	at := len(e.src)
	e.insert(at, e.newline(at)+"\nreplace "+text)
}

// drop takes a line away, with the block that it leaves empty and the blank line
// before it.
func (e *modEditor) drop(l *modfile.Line) {
	start, end := e.line(l)
	for _, stmt := range e.mod.Syntax.Stmt {
		if b, ok := stmt.(*modfile.LineBlock); ok && len(b.Line) == 1 && b.Line[0] == l {
			start, _ = e.line(b)
			_, end = e.line(&b.RParen)
		}
	}
	next, nextEnd, empty := lineOf(e.src, end, end)
	atEnd := end == len(e.src) || next == end && empty && nextEnd > end
	if atEnd && start > 1 && e.src[start-1] == '\n' && e.src[start-2] == '\n' {
		start--
	}
	e.edits = append(e.edits, edit{start, end, ""})
}

// suffix returns the comment at the end of a line, without its slashes.
func suffix(l *modfile.Line) string {
	if len(l.Comments.Suffix) == 0 {
		return ""
	}
	return strings.TrimSpace(strings.TrimPrefix(l.Comments.Suffix[0].Token, "//"))
}
