package swap

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// What would compile at a border, and behave differently for importers.

// findBoxes keeps packages where they are that look for a command in an interface,
// which an importer may have put there, and notes where they put one into one.
func (s *solver) findBoxes(cs []*checked) {
	if s.options.Reverse || s.options.Exported || !slices.ContainsFunc(cs, func(c *checked) bool { return c.isPublic() }) {
		return
	}
	for _, c := range cs {
		if !c.local || c.ForTest != "" || c.Name == "main" || c.types == nil {
			continue
		}
		at := func(n ast.Node) token.Position { return c.world.fset.Position(n.Pos()) }
		for _, f := range c.syntax {
			for _, a := range assertions(c.info, f) {
				s.block(c.unit, Reason{at(a.node), "type assertion to " + typeString(a.typ) + ", which importers may have put into the interface; see -exported"})
			}
			boxes(c.info, f, func(e ast.Expr, t types.Type, _ types.Object) {
				s.note(c.unit, Reason{at(e), "an interface gets a " + typeString(t) + ": importers that look for os/exec's type there will not find it"})
			})
		}
	}
}

// A link is between two units that exchange the type through something that keeps
// os/exec's, whether they move or not.
type link struct{ a, b string }

// findStarts notes where units start a command that others may get. Such a command
// cannot be waited for through os/exec, whose Wait does not know of xexec's copying.
func (s *solver) findStarts(cs []*checked) {
	for _, c := range cs {
		if !c.local || c.ForTest != "" || c.types == nil {
			continue
		}
		for _, f := range c.syntax {
			ast.Inspect(f, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok || sel.Sel.Name != "Start" {
					return true
				}
				fn, ok := c.info.Uses[sel.Sel].(*types.Func)
				if !ok || fn.Pkg() == nil || fn.Pkg().Path() != Std || c.keepsToItself(f, sel.X) {
					return true
				}
				if _, ok := s.starts[c.unit]; !ok {
					s.starts[c.unit] = c.world.fset.Position(sel.Pos())
				}
				return true
			})
		}
	}
}

// keepsToItself reports whether the command e is made by Command in its function
// and goes nowhere else: it is a variable of which only fields and methods are used.
func (c *checked) keepsToItself(f *ast.File, e ast.Expr) bool {
	id, ok := ast.Unparen(e).(*ast.Ident)
	if !ok {
		return false
	}
	v, ok := c.info.Uses[id].(*types.Var)
	if !ok || v.Parent() == c.types.Scope() {
		return false
	}
	made, elsewhere := false, false
	var stack []ast.Node
	ast.Inspect(f, func(n ast.Node) bool {
		if n == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		if id, ok := n.(*ast.Ident); ok && c.info.ObjectOf(id) == v && len(stack) > 0 {
			switch p := stack[len(stack)-1].(type) {
			case *ast.SelectorExpr:
			case *ast.AssignStmt:
				if isMade(c.info, p, id) {
					made = true
				} else {
					elsewhere = true
				}
			default:
				elsewhere = true
			}
		}
		stack = append(stack, n)
		return true
	})
	return made && !elsewhere
}

// isMade reports whether a gives id what Command or CommandContext returns.
func isMade(info *types.Info, a *ast.AssignStmt, id *ast.Ident) bool {
	for i, lhs := range a.Lhs {
		if lhs != id || len(a.Lhs) != len(a.Rhs) {
			continue
		}
		call, ok := ast.Unparen(a.Rhs[i]).(*ast.CallExpr)
		if !ok {
			return false
		}
		fn, ok := callee(info, call).(*types.Func)
		return ok && fn.Pkg() != nil && fn.Pkg().Path() == Std && strings.HasPrefix(fn.Name(), "Command")
	}
	return false
}

// guardStarts keeps packages with a border, and those that they exchange commands
// with, where they are if a command that is started there could reach an importer.
func (s *solver) guardStarts(isMain map[string]bool) {
	sets := newUnits()
	for l := range s.links {
		if !isMain[l.a] && !isMain[l.b] {
			sets.join(l.a, l.b, token.Position{}, "")
		}
	}
	for pair := range s.units.why {
		if !isMain[pair[0]] && !isMain[pair[1]] {
			sets.join(pair[0], pair[1], token.Position{}, "")
		}
	}
	for unit := range s.symbols {
		for other, pos := range s.starts {
			if sets.find(unit) == sets.find(other) {
				r := Reason{pos, "starts a command that an importer of " + s.name(unit) + " may get: os/exec's Wait would not wait for what xexec copies; see -exported"}
				s.block(unit, r)
				s.block(other, r)
			}
		}
	}
}

// tieStarts keeps a package that starts commands where it is if it exchanges commands
// with one that stays, since that may wait for them.
func (s *solver) tieStarts() {
	tie := func(stays, starts string) {
		pos, ok := s.starts[starts]
		if _, blocked := s.reasons[starts]; ok && !blocked && len(s.reasons[stays]) > 0 {
			s.block(starts, Reason{pos, "starts a command, and exchanges exec.Cmd with " + s.name(stays) + ", which stays"})
		}
	}
	for n := -1; n != len(s.reasons); {
		n = len(s.reasons)
		for l := range s.links {
			tie(l.a, l.b)
			tie(l.b, l.a)
		}
	}
}
