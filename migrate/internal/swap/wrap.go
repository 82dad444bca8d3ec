package swap

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"unicode"
)

// wrap puts a function literal of type to around the function e.
func (x *crosser) wrap(c *change, e ast.Expr, from *types.Signature, to types.Type) bool {
	if lit, ok := ast.Unparen(e).(*ast.FuncLit); ok && x.adaptLiteral(c, lit, from, to) {
		return true
	}
	sig := to.Underlying().(*types.Signature)
	typeText := func(t types.Type) string {
		return types.TypeString(t, func(p *types.Package) string {
			if p == x.types {
				return ""
			}
			return strings.TrimSuffix(x.qualify(c, p.Path(), e.Pos()), ".")
		})
	}
	var params, args []string
	names := paramNames(sig, x.textOf(e)+" exec xexec osexec stdexec")
	for i := range sig.Params().Len() {
		p, name := sig.Params().At(i), names[i]
		variadic := sig.Variadic() && i == sig.Params().Len()-1
		text := typeText(p.Type())
		if variadic {
			text = "..." + strings.TrimPrefix(text, "[]")
		}
		params = append(params, name+" "+text)
		arg := x.convertText(c, name, converts(p.Type(), from.Params().At(i).Type()), e.Pos())
		if variadic {
			arg += "..."
		}
		args = append(args, arg)
	}
	var results, values, out []string
	plain := true
	for i := range sig.Results().Len() {
		r := sig.Results().At(i)
		results = append(results, typeText(r.Type()))
		how := converts(from.Results().At(i).Type(), r.Type())
		plain = plain && how == same
		name := fmt.Sprintf("r%d", i)
		values = append(values, name)
		out = append(out, x.convertText(c, name, how, e.Pos()))
	}
	head := "func(" + strings.Join(params, ", ") + ")"
	switch len(results) {
	case 0:
	case 1:
		head += " " + results[0]
	default:
		head += " (" + strings.Join(results, ", ") + ")"
	}
	nl := x.newline(e)
	body := func(f, nl string) string {
		call := f + "(" + strings.Join(args, ", ") + ")"
		switch {
		case len(results) == 0:
			return "{ " + call + " }"
		case plain:
			return "{ return " + call + " }"
		case len(results) == 1:
			return "{ return " + x.convertText(c, call, converts(from.Results().At(0).Type(), sig.Results().At(0).Type()), e.Pos()) + " }"
		}
		return "{" + nl + "\t" + strings.Join(values, ", ") + " := " + call + nl + "\treturn " + strings.Join(out, ", ") + nl + "}"
	}
	var text string
	if x.constant(e) {
		text = head + " " + body(x.textOf(e), nl)
	} else {
		// The function is looked at now, not at the call, and nil stays nil.
		text = "func(f " + typeText(from) + ") " + head + " {" + nl + "\tif f == nil {" + nl + "\t\treturn nil" + nl + "\t}" +
			nl + "\treturn " + head + " " + body("f", nl+"\t") + nl + "}(" + x.textOf(e) + ")"
	}
	c.edits = []edit{{x.off(e.Pos()), x.off(e.End()), text}}
	return true
}

// constant reports whether e is the same function whenever it is looked at: a
// declared function, or a method of a pointer in a variable that nothing assigns.
func (x *crosser) constant(e ast.Expr) bool {
	fn, ok := used(x.info, e).(*types.Func)
	if !ok {
		return false
	}
	sel, ok := ast.Unparen(e).(*ast.SelectorExpr)
	if !ok || x.info.Selections[sel] == nil || x.info.Selections[sel].Kind() == types.MethodExpr {
		return true
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok || fn.Signature().Recv() == nil || len(x.info.Selections[sel].Index()) != 1 {
		return false
	}
	_, ptrRecv := fn.Signature().Recv().Type().(*types.Pointer)
	_, ptrVar := x.typeOf(id).Underlying().(*types.Pointer)
	obj := x.info.Uses[id]
	return ptrRecv && ptrVar && obj != nil && obj.Parent() != x.types.Scope() && !x.assigned(obj)
}

// assigned reports whether the file assigns the variable after its declaration,
// or takes its address.
func (x *crosser) assigned(obj types.Object) bool {
	found := false
	is := func(e ast.Expr) {
		if id, ok := ast.Unparen(e).(*ast.Ident); ok && x.info.Uses[id] == obj {
			found = true
		}
	}
	ast.Inspect(x.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, lhs := range n.Lhs {
				is(lhs)
			}
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				is(n.Key)
				if n.Value != nil {
					is(n.Value)
				}
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				is(n.X)
			}
		}
		return !found
	})
	return found
}

// paramNames returns names for the parameters of a function literal: those that
// sig has, if none of them occurs in text.
func paramNames(sig *types.Signature, text string) []string {
	words := strings.FieldsFunc(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	var names, plain []string
	usable := true
	for i := range sig.Params().Len() {
		name := sig.Params().At(i).Name()
		usable = usable && name != "" && name != "_" && !slices.Contains(words, name) && types.Universe.Lookup(name) == nil
		names, plain = append(names, name), append(plain, fmt.Sprintf("p%d", i))
	}
	if usable {
		return names
	}
	if len(plain) == 1 {
		return []string{"c"}
	}
	return plain
}

// adaptLiteral gives a function literal the types of to, and its body the
// variables it had.
func (x *crosser) adaptLiteral(c *change, lit *ast.FuncLit, from *types.Signature, to types.Type) bool {
	sig := to.Underlying().(*types.Signature)
	wanted := func(t types.Type) bool { return ptrCmdOf(t) == Xexec }
	for i := range from.Results().Len() {
		switch converts(from.Results().At(i).Type(), sig.Results().At(i).Type()) {
		case same, ptrToStd:
		default:
			return false
		}
	}
	for p := range from.Params().Variables() {
		if !wanted(p.Type()) && mentionsCmd(p.Type()) {
			return false // the other direction
		}
	}
	try := &change{}
	if x.adaptResults(try, lit.Type, wanted, nil) && x.adaptParams(try, lit.Type, lit.Body, wanted, nil) && len(try.edits) > 0 {
		c.edits, c.imports = try.edits, try.imports
		c.decl = true // what is in the body comes afterwards
		return true
	}
	return false
}

// adaptResults changes the results of a function that are pointers to xexec's Cmd
// to os/exec's. What its body returns is converted afterwards, as anything is.
// other, if any, is called for types of another form.
func (x *crosser) adaptResults(c *change, typ *ast.FuncType, wanted func(types.Type) bool, other func(ast.Expr)) bool {
	if typ.Results == nil {
		return true
	}
	for _, f := range typ.Results.List {
		star, ok := ast.Unparen(f.Type).(*ast.StarExpr)
		if other != nil && (!ok || !wanted(x.typeOf(f.Type))) {
			other(f.Type)
			continue
		}
		if !wanted(x.typeOf(f.Type)) {
			continue
		}
		if !ok {
			return false // an alias
		}
		c.edits = append(c.edits, edit{x.off(star.X.Pos()), x.off(star.X.End()), x.qualify(c, Std, typ.Pos()) + "Cmd"})
	}
	return true
}

// adaptParams changes the parameters of a function that are pointers to xexec's
// Cmd to os/exec's, and declares the names they had in its body. It reports
// false if a parameter that has to change is of another form and there is no other
// to call for it.
func (x *crosser) adaptParams(c *change, typ *ast.FuncType, body *ast.BlockStmt, wanted func(types.Type) bool, other func(ast.Expr)) bool {
	var decls strings.Builder
	oneLine := body != nil && !bytes.Contains(x.draft.text[x.off(body.Lbrace):x.off(body.Rbrace)], []byte("\n"))
	for _, f := range typ.Params.List {
		t := x.typeOf(f.Type)
		star, ok := ast.Unparen(f.Type).(*ast.StarExpr)
		if other != nil && (!ok || !wanted(t)) {
			other(f.Type)
			continue
		}
		if !wanted(t) {
			if mentionsCmd(t) {
				return false
			}
			continue
		}
		if !ok {
			return false // an alias
		}
		c.edits = append(c.edits, edit{x.off(star.X.Pos()), x.off(star.X.End()), x.qualify(c, Std, typ.Pos()) + "Cmd"})
		for _, name := range f.Names {
			if name.Name == "_" || body == nil || oneLine || !uses(x.info, body, x.info.Defs[name]) {
				continue // what a body of one line does with it is converted there
			}
			std := x.stdName(name.Name)
			c.edits = append(c.edits, edit{x.off(name.Pos()), x.off(name.End()), std})
			fmt.Fprintf(&decls, "%s\t%s := %sFromStd(%s)", x.newline(typ), name.Name, x.qualify(c, Xexec, body.Lbrace), std)
			x.draft.made[std] = true
		}
	}
	if decls.Len() > 0 {
		at := x.off(body.Lbrace) + 1
		if !endsLine(x.draft.text[at:]) {
			decls.WriteString(x.newline(typ) + "\t")
		}
		if rest, comment, _ := bytes.Cut(x.draft.text[at:], []byte("\n")); comment != nil && endsLine(rest) {
			at += len(bytes.TrimRight(rest, "\r"))
		}
		c.edits = append(c.edits, edit{at, at, decls.String()})
	}
	return true
}

// endsLine reports whether nothing but a comment is left of the line.
func endsLine(text []byte) bool {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	line = bytes.TrimSpace(line)
	return len(line) == 0 || bytes.HasPrefix(line, []byte("//"))
}

func uses(info *types.Info, n ast.Node, obj types.Object) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && info.Uses[id] == obj && obj != nil {
			found = true
		}
		return !found
	})
	return found
}
