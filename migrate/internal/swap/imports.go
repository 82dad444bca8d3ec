package swap

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// An importEditor edits the imports of one file, line by line.
//
// An import of xexec goes where the third-party imports are, one of os/exec where
// the standard library's are, both in the order of their paths.
type importEditor struct {
	fset      *token.FileSet
	file      *ast.File
	src       []byte
	formatted bool // as gofmt does, which sorts
}

// swapImport returns the edits that make the file import to instead of from, under
// the name that it had. formatted says whether gofmt left the file as it was.
func swapImport(fset *token.FileSet, f *ast.File, src []byte, from, to string, formatted bool) []edit {
	e := &importEditor{fset, f, src, formatted}
	gd, spec := e.find(from)
	if spec == nil {
		return nil
	}
	own := "exec"
	if from == Xexec {
		own = "xexec"
	}
	text := importText(importName(spec, own), to)
	inPlace := []edit{{e.off(spec.Pos()), e.off(spec.Path.End()), text}}
	moved := e.move(gd, spec, text, to)
	if moved == nil {
		return inPlace
	}
	if to == Std {
		return moved
	}
	// The way back has to lead to the same file. It does not if the file keeps
	// its imports in an order of its own.
	for _, edits := range [][]edit{moved, inPlace} {
		there := applied(src, edits, formatted)
		if back := swapBack(there, isFormatted(there)); bytes.Equal(back, src) {
			return edits
		}
	}
	return moved
}

// swapBack makes a file import os/exec instead of xexec.
func swapBack(src []byte, formatted bool) []byte {
	fset := token.NewFileSet()
	f := parseImports(fset, "", src)
	if f == nil {
		return nil
	}
	return applied(src, swapImport(fset, f, src, Xexec, Std, formatted), formatted)
}

// isFormatted reports whether gofmt would leave the file as it is.
func isFormatted(src []byte) bool {
	out, err := format.Source(src)
	return err == nil && bytes.Equal(out, src)
}

// applied returns the file with the edits, by gofmt's rules if formatted.
func applied(src []byte, edits []edit, formatted bool) []byte {
	out := apply(src, edits)
	if formatted {
		if text, err := format.Source(out); err == nil {
			return text
		}
	}
	return out
}

// addImports returns the edits that add imports (path to name) to the file.
func addImports(fset *token.FileSet, f *ast.File, src []byte, add map[string]string, formatted bool) []edit {
	e := &importEditor{fset, f, src, formatted}
	at := make(map[int]string)
	for _, path := range slices.Sorted(maps.Keys(add)) {
		where, text := e.add(path, importText(add[path], path))
		at[where] += text
	}
	var edits []edit
	for where, text := range at {
		edits = append(edits, edit{where, where, text})
	}
	return edits
}

// add returns where to insert which text in order to import path.
func (e *importEditor) add(path, text string) (int, string) {
	// os/exec stands where it stood before xexec took its place.
	if gd, spec := e.find(Xexec); path == Std && spec != nil {
		start, _, whole := e.lines(spec)
		if !gd.Lparen.IsValid() {
			start, _, _ = lineOf(e.src, e.off(declStart(gd)), e.off(gd.End()))
			return start, "import " + text + "\n"
		}
		if whole && len(gd.Specs) > 1 {
			if where, line, ok := e.place(gd, spec, path, "\t"+text+"\n"); ok {
				return where, line
			}
		}
		if whole {
			return start, "\t" + text + "\n"
		}
	}
	for _, d := range e.file.Decls {
		if gd, ok := importDecl(d); ok && gd.Lparen.IsValid() && len(gd.Specs) > 0 {
			if where, line, ok := e.place(gd, nil, path, "\t"+text+"\n"); ok {
				return where, line
			}
			return e.off(gd.Lparen) + 1, "\n\t" + text + "\n"
		}
	}
	for _, d := range e.file.Decls {
		if gd, ok := importDecl(d); ok && len(gd.Specs) == 1 && specPath(gd.Specs[0].(*ast.ImportSpec)) != "C" {
			start, _, _ := lineOf(e.src, e.off(declStart(gd)), e.off(gd.End()))
			return start, "import " + text + "\n"
		}
	}
	_, end, _ := lineOf(e.src, e.off(e.file.Name.Pos()), e.off(e.file.Name.End()))
	if end == 0 || e.src[end-1] != '\n' {
		return end, "\n\nimport " + text + "\n"
	}
	return end, "\nimport " + text + "\n"
}

// move returns the edits that take the line of spec away and import to, by text,
// where its kind is; nil if the text can only take the place of the other.
func (e *importEditor) move(gd *ast.GenDecl, spec *ast.ImportSpec, text, to string) []edit {
	if !gd.Lparen.IsValid() || len(gd.Specs) == 1 || spec.Doc != nil {
		return nil
	}
	_, end, whole := e.lines(spec)
	if !whole {
		return nil
	}
	line := "\t" + text + string(e.src[e.off(spec.Path.End()):end]) // with the comment
	where, line, ok := e.place(gd, spec, to, line)
	if !ok {
		return nil
	}
	gone := e.removal(gd, spec)
	if gone.start <= where && where <= gone.end {
		gone.text = line
		return []edit{gone}
	}
	return []edit{gone, {where, where, line}}
}

// place returns where in gd to insert the line that imports path. skip is an
// import that goes away, or nil. It reports false if the order of the imports does
// not say where.
func (e *importEditor) place(gd *ast.GenDecl, skip *ast.ImportSpec, path, line string) (int, string, bool) {
	const (
		other   = iota // nothing of the kind of path
		some           // something of its kind
		related        // os, or below it
		pure           // third-party imports alone
		both           // the standard library's beside skip
	)
	std := !thirdParty(path)
	var target []*ast.ImportSpec // the group to choose, without skip
	best := other
	for _, g := range e.groups(gd) {
		rest := slices.DeleteFunc(slices.Clone(g), func(s *ast.ImportSpec) bool { return s == skip })
		rank, mixed := other, false
		for _, s := range rest {
			p := specPath(s)
			switch {
			case p == "C" || thirdParty(p) == std:
				mixed = true
			case std && (p == "os" || strings.HasPrefix(p, "os/")):
				rank = related
			default:
				rank = max(rank, some)
			}
		}
		switch {
		case rank == other:
		case std && len(rest) < len(g):
			rank = both
		case !std && !mixed:
			rank = pure
		}
		if rank > best {
			best, target = rank, rest
		}
	}
	switch {
	case target != nil && best == both && !e.formatted:
		return 0, "", false
	case target != nil && slices.IsSortedFunc(target, func(a, b *ast.ImportSpec) int { return strings.Compare(specPath(a), specPath(b)) }):
		for _, s := range target {
			if specPath(s) > path {
				start, _, whole := e.lines(s)
				return start, line, whole
			}
		}
		_, end, whole := e.lines(target[len(target)-1])
		return end, line, whole
	case target != nil && best == both:
		return 0, "", false
	case target != nil:
		start, _, whole := e.lines(target[0])
		return start, line, whole
	case std:
		start, _, whole := e.lines(gd.Specs[0].(*ast.ImportSpec))
		return start, line + "\n", whole
	}
	start, _, whole := lineOf(e.src, e.off(gd.Rparen), e.off(gd.Rparen)+1)
	return start, "\n" + line, whole
}

// removal returns the edit that takes spec away, with the blank line that set it
// apart if it stood alone.
func (e *importEditor) removal(gd *ast.GenDecl, spec *ast.ImportSpec) edit {
	start, end, _ := e.lines(spec)
	groups := e.groups(gd)
	for i, g := range groups {
		if len(g) != 1 || g[0] != spec || len(groups) == 1 {
			continue
		}
		if i < len(groups)-1 {
			next, _, _ := e.lines(groups[i+1][0])
			if blank(e.src[end:next]) {
				end = next
			}
		} else if _, prev, _ := e.lines(groups[i-1][len(groups[i-1])-1]); blank(e.src[prev:start]) {
			start = prev
		}
	}
	return edit{start, end, ""}
}

// remove returns the edit that takes an import away, with its declaration if that
// has no other.
func (e *importEditor) remove(spec *ast.ImportSpec) []edit {
	var gd *ast.GenDecl
	for _, d := range e.file.Decls {
		if g, ok := importDecl(d); ok && slices.Contains(g.Specs, ast.Spec(spec)) {
			gd = g
		}
	}
	if len(gd.Specs) > 1 {
		if _, _, whole := e.lines(spec); !whole {
			end := e.off(spec.End())
			if rest := e.src[end:]; len(rest) > 0 && rest[0] == ';' {
				end++
			}
			return []edit{{e.off(spec.Pos()), end, ""}}
		}
		return []edit{e.removal(gd, spec)}
	}
	start, end, whole := lineOf(e.src, e.off(declStart(gd)), e.off(gd.End()))
	if !whole {
		return []edit{{e.off(gd.Pos()), e.off(gd.End()), ""}}
	}
	// Of the blank lines before and after it, one is enough.
	if next, nextEnd, empty := lineOf(e.src, end, end); next == end && empty && nextEnd > end && start > 1 && e.src[start-2] == '\n' {
		end = nextEnd
	}
	return []edit{{start, end, ""}}
}

// find returns the import of path and its declaration.
func (e *importEditor) find(path string) (*ast.GenDecl, *ast.ImportSpec) {
	for _, d := range e.file.Decls {
		gd, ok := importDecl(d)
		if !ok {
			continue
		}
		for _, s := range gd.Specs {
			if s := s.(*ast.ImportSpec); specPath(s) == path {
				return gd, s
			}
		}
	}
	return nil, nil
}

// groups returns the runs of imports that no blank line or comment of its own
// divides.
func (e *importEditor) groups(gd *ast.GenDecl) [][]*ast.ImportSpec {
	var groups [][]*ast.ImportSpec
	last := -1
	for _, s := range gd.Specs {
		s := s.(*ast.ImportSpec)
		start, end, _ := e.lines(s)
		if start == last || start < last {
			groups[len(groups)-1] = append(groups[len(groups)-1], s)
		} else {
			groups = append(groups, []*ast.ImportSpec{s})
		}
		last = end
	}
	return groups
}

// lines returns the bounds of an import with its comments, and whether nothing
// else stands on these lines.
func (e *importEditor) lines(s *ast.ImportSpec) (int, int, bool) {
	start, end := s.Pos(), s.Path.End()
	if s.Doc != nil {
		start = s.Doc.Pos()
	}
	if s.Comment != nil {
		end = s.Comment.End()
	}
	return lineOf(e.src, e.off(start), e.off(end))
}

func (e *importEditor) off(p token.Pos) int { return e.fset.Position(p).Offset }

func importDecl(d ast.Decl) (*ast.GenDecl, bool) {
	gd, ok := d.(*ast.GenDecl)
	return gd, ok && gd.Tok == token.IMPORT
}

func declStart(gd *ast.GenDecl) token.Pos {
	if gd.Doc != nil {
		return gd.Doc.Pos()
	}
	return gd.Pos()
}

func importText(name, path string) string {
	if path == Std && name == "exec" || name == lastElem(path) && path != Std && path != Xexec {
		return fmt.Sprintf("%q", path)
	}
	return fmt.Sprintf("%s %q", name, path)
}

func lastElem(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// thirdParty reports whether a path is outside of the standard library.
func thirdParty(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}

func blank(b []byte) bool { return len(bytes.TrimSpace(b)) == 0 }

// lineOf returns the bounds of the line around [start, end), with its newline,
// and whether nothing else stands on it.
func lineOf(src []byte, start, end int) (int, int, bool) {
	lo := bytes.LastIndexByte(src[:start], '\n') + 1
	hi := len(src)
	if i := bytes.IndexByte(src[end:], '\n'); i >= 0 {
		hi = end + i + 1
	}
	return lo, hi, blank(src[lo:start]) && blank(src[end:hi])
}

func parseImports(fset *token.FileSet, name string, src []byte) *ast.File {
	f, err := parser.ParseFile(fset, name, src, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return nil
	}
	return f
}
