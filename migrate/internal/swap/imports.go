package swap

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// swapImport returns the edits that make the file import to instead of from,
// under the name it had, in the group where such a path belongs.
func swapImport(fset *token.FileSet, f *ast.File, src []byte, from, to string) []edit {
	off := func(p token.Pos) int { return fset.Position(p).Offset }
	for _, d := range f.Decls {
		gd, ok := d.(*ast.GenDecl)
		if !ok || gd.Tok != token.IMPORT {
			continue
		}
		i := slices.IndexFunc(gd.Specs, func(s ast.Spec) bool { return specPath(s.(*ast.ImportSpec)) == from })
		if i < 0 {
			continue
		}
		spec := gd.Specs[i].(*ast.ImportSpec)
		own := "exec"
		if from == Xexec {
			own = "xexec"
		}
		text := importText(importName(spec, own), to)
		inPlace := []edit{{off(spec.Pos()), off(spec.Path.End()), text}}
		if !gd.Lparen.IsValid() || spec.Doc != nil || spec.Comment != nil || len(gd.Specs) == 1 {
			return inPlace
		}
		// The line goes away, and one is added where its kind is.
		start, end, whole := lineOf(src, off(spec.Pos()), off(spec.End()))
		if !whole {
			return inPlace
		}
		remove := edit{start, end, ""}
		for _, s := range gd.Specs {
			s := s.(*ast.ImportSpec)
			if s == spec || thirdParty(specPath(s)) != thirdParty(to) || s.Doc != nil {
				continue
			}
			at, _, whole := lineOf(src, off(s.Pos()), off(s.Path.End()))
			if s.Comment == nil && !whole {
				return inPlace
			}
			if at == end { // next to it
				return []edit{{start, end, "\t" + text + "\n"}}
			}
			return []edit{remove, {at, at, "\t" + text + "\n"}}
		}
		if thirdParty(to) {
			at, _, _ := lineOf(src, off(gd.Rparen), off(gd.Rparen)+1)
			if at == end {
				return []edit{{start, end, "\n\t" + text + "\n"}}
			}
			return []edit{remove, {at, at, "\n\t" + text + "\n"}}
		}
		return inPlace
	}
	return nil
}

// addImports returns the edits that add imports (path to name) to the file.
func addImports(fset *token.FileSet, f *ast.File, src []byte, add map[string]string) []edit {
	if len(add) == 0 {
		return nil
	}
	off := func(p token.Pos) int { return fset.Position(p).Offset }
	var stds, others []string
	for path, name := range add {
		if thirdParty(path) {
			others = append(others, "\t"+importText(name, path)+"\n")
		} else {
			stds = append(stds, "\t"+importText(name, path)+"\n")
		}
	}
	slices.Sort(stds)
	slices.Sort(others)
	for _, d := range f.Decls {
		gd, ok := d.(*ast.GenDecl)
		if !ok || gd.Tok != token.IMPORT || !gd.Lparen.IsValid() || len(gd.Specs) == 0 {
			continue
		}
		edits := make(map[int]string)
		place := func(third bool, lines []string) {
			if len(lines) == 0 {
				return
			}
			for _, s := range gd.Specs {
				if s := s.(*ast.ImportSpec); thirdParty(specPath(s)) == third && s.Doc == nil {
					if at, _, whole := lineOf(src, off(s.Pos()), off(s.Path.End())); whole || s.Comment != nil {
						edits[at] += strings.Join(lines, "")
						return
					}
				}
			}
			if third {
				at, _, _ := lineOf(src, off(gd.Rparen), off(gd.Rparen)+1)
				edits[at] += "\n" + strings.Join(lines, "")
				return
			}
			at := off(gd.Lparen) + 1
			edits[at] += "\n" + strings.Join(lines, "") + "\n"
		}
		place(false, stds)
		place(true, others)
		var out []edit
		for at, text := range edits {
			out = append(out, edit{at, at, text})
		}
		return out
	}
	at := off(f.Name.End())
	if lines := append(stds, others...); len(lines) == 1 {
		return []edit{{at, at, "\n\nimport " + strings.TrimSpace(lines[0])}}
	}
	text := "\n\nimport (\n" + strings.Join(stds, "")
	if len(stds) > 0 && len(others) > 0 {
		text += "\n"
	}
	return []edit{{at, at, text + strings.Join(others, "") + ")\n"}}
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

// lineOf returns the bounds of the line around [start, end), with its newline,
// and whether nothing else stands on it.
func lineOf(src []byte, start, end int) (int, int, bool) {
	lo := bytes.LastIndexByte(src[:start], '\n') + 1
	hi := len(src)
	if i := bytes.IndexByte(src[end:], '\n'); i >= 0 {
		hi = end + i + 1
	}
	return lo, hi, len(bytes.TrimSpace(src[lo:start])) == 0 && len(bytes.TrimSpace(src[end:hi])) == 0
}
