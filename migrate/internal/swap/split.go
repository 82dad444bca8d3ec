package swap

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// tuple converts some of the several values that one expression gives, by way of
// new variables and a statement of their own.
func (x *crosser) tuple(t tupleSite) {
	how := make([]conversion, len(t.targets))
	needed := false
	for i, target := range t.targets {
		from := t.tuple.At(i).Type()
		how[i] = same
		switch {
		case target == nil:
			if t.assign != nil && t.assign.Tok == token.DEFINE {
				id := t.assign.Lhs[i].(*ast.Ident)
				if id.Name != "_" && !x.mixed && !x.draft.made[id.Name] && ptrCmdOf(from) == Std {
					how[i] = ptrFrom
				}
			}
		case !types.AssignableTo(from, target):
			how[i] = converts(from, target)
			if how[i] == none || how[i] == wrapFuncs || how[i] == valToStd {
				return
			}
		}
		needed = needed || how[i] != same
	}
	if !needed || !t.inBlock {
		return
	}
	c := &change{}
	if t.assign != nil && t.assign.Tok == token.DEFINE {
		x.splitDefine(c, t, how)
		c.decl = true
	} else {
		x.splitTuple(c, t, how)
	}
	x.changes = append(x.changes, *c)
}

// splitDefine turns "cmd, err := f()" into
//
//	stdCmd, err := f()
//	cmd := exec.FromStd(stdCmd)
func (x *crosser) splitDefine(c *change, t tupleSite, how []conversion) {
	end := x.off(t.assign.End())
	var after strings.Builder
	for i, lhs := range t.assign.Lhs {
		if how[i] == same {
			continue
		}
		id := lhs.(*ast.Ident)
		std := x.stdName(id.Name)
		x.draft.made[std] = true
		c.names = append(c.names, std)
		c.edits = append(c.edits, edit{x.off(id.Pos()), x.off(id.End()), std})
		op := "="
		if x.info.Defs[id] != nil {
			op = ":="
		}
		fmt.Fprintf(&after, "%s%s %s %s", x.newline(t.assign), id.Name, op, x.convertText(c, std, how[i], t.expr.Pos()))
	}
	c.edits = append(c.edits, edit{end, end, after.String()})
}

// splitTuple turns "a, b = f()" and "return f()" into
//
//	stdA, v1 := f()
//	a, b = exec.FromStd(stdA), v1
func (x *crosser) splitTuple(c *change, t tupleSite, how []conversion) {
	var vars, vals []string
	for i := range how {
		name := x.fresh(fmt.Sprintf("v%d", i))
		if how[i] != same {
			name = x.stdName("cmd")
			if t.assign != nil {
				if id, ok := t.assign.Lhs[i].(*ast.Ident); ok {
					name = x.stdName(id.Name)
				}
			}
			for slices.Contains(vars, name) {
				name += "2"
			}
		}
		x.draft.made[name] = true
		if t.targets[i] == nil {
			name = "_"
			vals = append(vals, "nil")
		} else {
			c.names = append(c.names, name)
			vals = append(vals, x.convertText(c, name, how[i], t.expr.Pos()))
		}
		vars = append(vars, name)
	}
	start, from, to := x.off(t.expr.Pos()), 0, x.off(t.expr.End())
	lead := "return "
	if t.assign != nil {
		from = x.off(t.assign.Pos())
		var lhs []string
		var kept []string
		for i, l := range t.assign.Lhs {
			if vars[i] == "_" {
				continue
			}
			lhs = append(lhs, x.textOf(l))
			kept = append(kept, vals[i])
		}
		lead, vals = strings.Join(lhs, ", ")+" = ", kept
	} else {
		from = x.off(t.ret.Pos())
	}
	c.edits = []edit{
		{from, start, strings.Join(vars, ", ") + " := "},
		{to, to, x.newline(t.expr) + lead + strings.Join(vals, ", ")},
	}
}
