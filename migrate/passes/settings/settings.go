// Package settings defines an analyzer that finds settings of a command that have
// no effect. Its documentation is doc.md.
package settings

import (
	_ "embed"
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"example.com/xexec/migrate/internal/xcmd"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

//go:embed doc.md
var doc string

// Analyzer finds Set methods called after the start, and copies that lose what
// they have set.
var Analyzer = &analysis.Analyzer{
	Name:     "settings",
	Doc:      doc,
	URL:      "https://pkg.go.dev/example.com/xexec/migrate/passes/settings",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

var starters = map[string]bool{
	"Start": true, "Run": true, "Output": true, "CombinedOutput": true,
	"StartContext": true, "RunContext": true, "OutputContext": true, "CombinedOutputContext": true,
}

func run(pass *analysis.Pass) (any, error) {
	var sets []inspector.Cursor
	for cur := range xcmd.Root(pass).Preorder((*ast.CallExpr)(nil)) {
		if c, ok := xcmd.Method(pass.TypesInfo, cur.Node()); ok && strings.HasPrefix(c.Name, "Set") && !c.Process() {
			sets = append(sets, cur)
			if start := earlier(pass, cur, c, func(n ast.Node) *xcmd.Call {
				s, ok := xcmd.Method(pass.TypesInfo, n)
				if ok && starters[s.Name] && same(pass, s, c) {
					return s
				}
				return nil
			}); start != nil {
				pass.ReportRangef(c, "%s has no effect after %s", c.Name, start.Name)
			}
		}
	}
	if len(sets) == 0 {
		return nil, nil
	}
	for cur := range xcmd.Root(pass).Preorder((*ast.StarExpr)(nil), (*ast.Ident)(nil), (*ast.SelectorExpr)(nil)) {
		cmd, ok := copied(pass, cur)
		if !ok {
			continue
		}
		if set := earlier(pass, cur, &xcmd.Call{Cmd: cmd}, func(n ast.Node) *xcmd.Call {
			s, ok := xcmd.Method(pass.TypesInfo, n)
			if ok && strings.HasPrefix(s.Name, "Set") && s.Path == "" && xcmd.Same(pass.TypesInfo, s.Cmd, cmd) {
				return s
			}
			return nil
		}); set != nil {
			pass.ReportRangef(cur.Node(), "%s is lost in this copy of the command: Clone keeps it", set.Name)
		}
	}
	return nil, nil
}

func same(pass *analysis.Pass, a, b *xcmd.Call) bool {
	return a.Path == b.Path && xcmd.Same(pass.TypesInfo, a.Cmd, b.Cmd)
}

// copied returns the command of which the expression at cur is a copy: c for *c
// where a value is taken, and c for c if its type is no pointer.
func copied(pass *analysis.Pass, cur inspector.Cursor) (ast.Expr, bool) {
	e := cur.Node().(ast.Expr)
	tv := pass.TypesInfo.Types[e]
	if id, ok := e.(*ast.Ident); ok && pass.TypesInfo.Uses[id] != nil {
		tv.Type = pass.TypesInfo.Uses[id].Type()
		if _, ok := pass.TypesInfo.Uses[id].(*types.Var); !ok {
			return nil, false
		}
	} else if !tv.IsValue() {
		return nil, false
	}
	if tv.Type == nil || !xcmd.IsCmd(tv.Type) {
		return nil, false
	}
	if _, ok := types.Unalias(tv.Type).(*types.Pointer); ok {
		return nil, false
	}
	switch k, _ := cur.ParentEdge(); k {
	case edge.AssignStmt_Rhs, edge.ValueSpec_Values, edge.CallExpr_Args, edge.ReturnStmt_Results,
		edge.KeyValueExpr_Value, edge.CompositeLit_Elts, edge.SendStmt_Value:
	default:
		return nil, false
	}
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	return e, true
}

// earlier returns a call for which is holds and that has been made whenever the
// code at cur runs: in a statement before it, of a list that it is in, in the same
// function, with nothing assigned to the command in between.
func earlier(pass *analysis.Pass, cur inspector.Cursor, cmd *xcmd.Call, is func(ast.Node) *xcmd.Call) *xcmd.Call {
	for ; ; cur = cur.Parent() {
		switch n := cur.Node().(type) {
		case *ast.FuncLit, *ast.FuncDecl, *ast.File, *ast.DeferStmt, *ast.GoStmt, nil:
			return nil
		case *ast.ForStmt, *ast.RangeStmt:
			if assigns(pass, n, cmd.Cmd) {
				return nil
			}
		}
		for at := cur; inList(at); {
			prev, ok := at.PrevSibling()
			if !ok || !inList(prev) {
				break
			}
			s := prev.Node().(ast.Stmt)
			if assigns(pass, s, cmd.Cmd) {
				return nil
			}
			if c := always(s, is); c != nil {
				return c
			}
			at = prev
		}
	}
}

// inList reports whether the cursor is at a statement that runs after the one
// before it.
func inList(cur inspector.Cursor) bool {
	switch k, _ := cur.ParentEdge(); k {
	case edge.BlockStmt_List, edge.CaseClause_Body, edge.CommClause_Body:
		switch cur.Node().(type) {
		case *ast.CaseClause, *ast.CommClause:
			return false // one of a switch's
		}
		return true
	}
	return false
}

// always returns the call for which is holds in a part of s that runs whenever s
// does.
func always(s ast.Stmt, is func(ast.Node) *xcmd.Call) *xcmd.Call {
	var parts []ast.Node
	switch s := s.(type) {
	case *ast.ExprStmt, *ast.AssignStmt, *ast.DeclStmt:
		parts = append(parts, s)
	case *ast.IfStmt:
		if s.Init != nil {
			parts = append(parts, s.Init)
		}
		parts = append(parts, s.Cond)
	case *ast.SwitchStmt:
		if s.Init != nil {
			parts = append(parts, s.Init)
		}
		if s.Tag != nil {
			parts = append(parts, s.Tag)
		}
	}
	var found *xcmd.Call
	for _, part := range parts {
		ast.Inspect(part, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				return false
			case *ast.BinaryExpr: // the right side of && and || may not run
				ast.Inspect(n.X, func(n ast.Node) bool {
					if call, ok := n.(*ast.CallExpr); ok && found == nil {
						found = is(call)
					}
					_, lit := n.(*ast.FuncLit)
					return !lit
				})
				return false
			case *ast.CallExpr:
				if found == nil {
					found = is(n)
				}
			}
			return true
		})
	}
	return found
}

// assigns reports whether something in n gives the variable of the command, or a
// field on the way to it, another value.
func assigns(pass *analysis.Pass, n ast.Node, cmd ast.Expr) bool {
	var parts []ast.Expr
	for e := ast.Unparen(cmd); e != nil; {
		parts = append(parts, e)
		sel, ok := e.(*ast.SelectorExpr)
		if !ok {
			break
		}
		e = ast.Unparen(sel.X)
	}
	found := false
	is := func(e ast.Expr) {
		for _, part := range parts {
			found = found || e != nil && xcmd.Same(pass.TypesInfo, e, part)
		}
	}
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, lhs := range n.Lhs {
				is(lhs)
				if star, ok := lhs.(*ast.StarExpr); ok {
					is(star.X)
				}
			}
		case *ast.RangeStmt:
			is(n.Key)
			is(n.Value)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				if _, ptr := pass.TypesInfo.TypeOf(n.X).(*types.Pointer); ptr {
					is(n.X)
				}
			}
		}
		return !found
	})
	return found
}
