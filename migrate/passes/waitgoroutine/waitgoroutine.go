// Package waitgoroutine defines an analyzer that finds goroutines that send what
// Wait returns. Its documentation is doc.md.
package waitgoroutine

import (
	_ "embed"
	"go/ast"
	"go/token"
	"go/types"

	"example.com/xexec/migrate/internal/xcmd"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

//go:embed doc.md
var doc string

// Analyzer finds go func() { done <- cmd.Wait() }().
var Analyzer = &analysis.Analyzer{
	Name:     "waitgoroutine",
	Doc:      doc,
	URL:      "https://pkg.go.dev/example.com/xexec/migrate/passes/waitgoroutine",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	for cur := range xcmd.Root(pass).Preorder((*ast.GoStmt)(nil)) {
		p, ok := match(pass, cur)
		if !ok {
			continue
		}
		d := analysis.Diagnostic{
			Pos: p.goStmt.Pos(), End: p.goStmt.End(),
			Message: "goroutine around Wait: select on Done, or use WaitContext or Shutdown",
		}
		if edits, ok := p.fix(); ok {
			d.SuggestedFixes = []analysis.SuggestedFix{{Message: "Select on Done", TextEdits: edits}}
		}
		pass.Report(d)
	}
	return nil, nil
}

// A pattern is a goroutine that sends what Wait returns to a channel.
type pattern struct {
	pass   *analysis.Pass
	cur    inspector.Cursor // of goStmt
	goStmt *ast.GoStmt
	wait   *xcmd.Call
	ch     types.Object
	inside []*ast.Ident // the goroutine's uses of ch
}

// match recognizes func() { ch <- cmd.Wait() }, with an optional close(ch), and
// func() { err := cmd.Wait(); ch <- err }.
func match(pass *analysis.Pass, cur inspector.Cursor) (*pattern, bool) {
	info := pass.TypesInfo
	g := cur.Node().(*ast.GoStmt)
	lit, ok := g.Call.Fun.(*ast.FuncLit)
	if !ok || len(g.Call.Args) != 0 || len(lit.Body.List) == 0 {
		return nil, false
	}
	p := &pattern{pass: pass, cur: cur, goStmt: g}
	list := lit.Body.List
	var result types.Object
	if a, ok := list[0].(*ast.AssignStmt); ok && a.Tok == token.DEFINE && len(a.Lhs) == 1 && len(a.Rhs) == 1 && len(list) > 1 {
		if c, ok := xcmd.Method(info, a.Rhs[0]); ok && c.Name == "Wait" && !c.Process() {
			p.wait = c
			result = info.Defs[a.Lhs[0].(*ast.Ident)]
			list = list[1:]
		}
	}
	send, ok := list[0].(*ast.SendStmt)
	if !ok {
		return nil, false
	}
	if p.wait == nil {
		c, ok := xcmd.Method(info, send.Value)
		if !ok || c.Name != "Wait" || c.Process() {
			return nil, false
		}
		p.wait = c
	} else if id, ok := send.Value.(*ast.Ident); !ok || info.Uses[id] != result {
		return nil, false
	}
	id, ok := send.Chan.(*ast.Ident)
	if !ok {
		return p, true // a field: reported only
	}
	p.ch, p.inside = info.Uses[id], []*ast.Ident{id}
	for _, s := range list[1:] {
		call, ok := xcmd.Discarded(s)
		if !ok || len(call.Args) != 1 {
			return nil, false
		}
		fn, ok1 := call.Fun.(*ast.Ident)
		arg, ok2 := call.Args[0].(*ast.Ident)
		if !ok1 || !ok2 || fn.Name != "close" || info.Uses[arg] != p.ch {
			return nil, false
		}
		p.inside = append(p.inside, arg)
	}
	return p, true
}

// fix returns the edits, if the rewrite is known to keep the behaviour.
func (p *pattern) fix() ([]analysis.TextEdit, bool) {
	info := p.pass.TypesInfo
	cmd, ok := p.wait.Cmd.(*ast.Ident)
	if !ok || p.wait.Path != "" || p.ch == nil || p.pass.Pkg.Scope().Lookup(p.ch.Name()) == p.ch {
		return nil, false
	}
	cmdVar := info.Uses[cmd]
	fn, _ := xcmd.Func(p.cur)
	if fn == nil || cmdVar == nil || cmdVar.Pos() < fn.Pos() || cmdVar.Pos() >= fn.End() || xcmd.Assigned(p.pass, cmdVar) > 0 {
		return nil, false
	}
	made, ok := p.made()
	if !ok {
		return nil, false
	}
	receives, ok := p.receives()
	if !ok {
		return nil, false
	}
	sel, ok := p.oneSelect(receives)
	if !ok || !p.straight(receives, sel) {
		return nil, false
	}

	var edits []analysis.TextEdit
	for _, s := range []ast.Stmt{made, p.goStmt} {
		e, ok := xcmd.Delete(p.pass, s)
		if !ok {
			return nil, false
		}
		edits = append(edits, e)
	}
	if made.End() <= p.goStmt.Pos() && edits[0].End > edits[1].Pos {
		return nil, false // on one line
	}
	if sel != nil {
		if e, ok := p.waitContext(sel.Node().(*ast.SelectStmt), receives); ok {
			return p.dropImports(append(edits, e)), true
		}
	}
	name := cmd.Name
	for _, r := range receives {
		clause, ok := r.Parent().Node().(*ast.CommClause)
		if !ok {
			clause, ok = r.Parent().Parent().Node().(*ast.CommClause)
			ok = ok && clause.Comm == r.Parent().Node()
		}
		if !ok {
			edits = append(edits, analysis.TextEdit{Pos: r.Node().Pos(), End: r.Node().End(), NewText: []byte(name + ".Wait()")})
			continue
		}
		edits = append(edits, analysis.TextEdit{Pos: clause.Comm.Pos(), End: clause.Comm.End(), NewText: []byte("<-" + name + ".Done()")})
		if a, ok := clause.Comm.(*ast.AssignStmt); ok {
			text := "\n" + xcmd.Source(p.pass.Fset, a.Lhs[0]) + " " + a.Tok.String() + " " + name + ".Wait()"
			edits = append(edits, analysis.TextEdit{Pos: clause.Colon + 1, NewText: []byte(text)})
		}
	}
	return p.dropImports(edits), true
}

func (p *pattern) dropImports(edits []analysis.TextEdit) []analysis.TextEdit {
	return append(edits, xcmd.DropImport(p.pass, xcmd.File(p.pass, p.goStmt.Pos()), "context", edits)...)
}

// made returns the statement done := make(chan error, n), which stands in the
// same list as the goroutine.
func (p *pattern) made() (ast.Stmt, bool) {
	for _, s := range xcmd.Stmts(p.cur.Parent().Node()) {
		a, ok := s.(*ast.AssignStmt)
		if !ok || a.Tok != token.DEFINE || len(a.Lhs) != 1 || len(a.Rhs) != 1 {
			continue
		}
		if id, ok := a.Lhs[0].(*ast.Ident); !ok || p.pass.TypesInfo.Defs[id] != p.ch {
			continue
		}
		call, ok := a.Rhs[0].(*ast.CallExpr)
		if !ok {
			return nil, false
		}
		fn, ok := call.Fun.(*ast.Ident)
		return a, ok && fn.Name == "make"
	}
	return nil, false
}

// receives returns the expressions <-done. Any other use of done spoils it.
func (p *pattern) receives() ([]inspector.Cursor, bool) {
	var found []inspector.Cursor
	fn, _ := xcmd.Func(p.cur)
uses:
	for cur := range xcmd.Root(p.pass).Preorder((*ast.Ident)(nil)) {
		id := cur.Node().(*ast.Ident)
		if p.pass.TypesInfo.Uses[id] != p.ch {
			continue
		}
		for _, in := range p.inside {
			if id == in {
				continue uses
			}
		}
		recv, ok := cur.Parent().Node().(*ast.UnaryExpr)
		if !ok || recv.Op != token.ARROW {
			return nil, false
		}
		if other, _ := xcmd.Func(cur); other != fn {
			return nil, false // in a closure, which may run at any time
		}
		if a, ok := cur.Parent().Parent().Node().(*ast.AssignStmt); ok && len(a.Lhs) != 1 {
			return nil, false // v, ok := <-done
		}
		if _, ok := cur.Parent().Parent().Node().(*ast.DeferStmt); ok {
			return nil, false
		}
		found = append(found, cur.Parent())
	}
	return found, len(found) > 0
}

// oneSelect returns the select statement in which done is received, and reports
// whether no path receives twice: all others receives are in its other clauses.
// Without a select there may be one receive.
func (p *pattern) oneSelect(receives []inspector.Cursor) (*inspector.Cursor, bool) {
	var sel *inspector.Cursor
	var own ast.Node
	for _, r := range receives {
		if c, ok := comm(r); ok {
			if sel != nil {
				return nil, false
			}
			s := c.Parent().Parent() // clause, body, select
			sel, own = &s, c.Node()
		}
	}
	if sel == nil {
		return nil, len(receives) == 1
	}
	for _, r := range receives {
		n := r.Node()
		if c, ok := comm(r); ok && c.Node() == own {
			continue
		}
		inSelect := sel.Node().Pos() <= n.Pos() && n.Pos() < sel.Node().End()
		inOwn := own.Pos() <= n.Pos() && n.Pos() < own.End()
		if !inSelect || inOwn || len(loops(r, p.cur)) > 0 {
			return nil, false
		}
	}
	return sel, true
}

// comm returns the clause whose communication the receive is.
func comm(r inspector.Cursor) (inspector.Cursor, bool) {
	stmt := r.Parent()
	switch stmt.Node().(type) {
	case *ast.ExprStmt, *ast.AssignStmt:
	default:
		return inspector.Cursor{}, false
	}
	clause, ok := stmt.Parent().Node().(*ast.CommClause)
	if !ok || clause.Comm != stmt.Node() {
		return inspector.Cursor{}, false
	}
	return stmt.Parent(), true
}

// loops returns the loops around c that are not around of.
func loops(c, of inspector.Cursor) []ast.Node {
	var found []ast.Node
	for l := range c.Enclosing((*ast.ForStmt)(nil), (*ast.RangeStmt)(nil)) {
		if n := l.Node(); n.Pos() > of.Node().Pos() || n.End() < of.Node().End() {
			found = append(found, n)
		}
	}
	return found
}

// straight reports whether the receive, or the select with it, stands in the same
// list as the goroutine, later, and nothing between them leaves the list.
func (p *pattern) straight(receives []inspector.Cursor, sel *inspector.Cursor) bool {
	at := receives[0]
	if sel != nil {
		at = *sel
	}
	for at.Parent().Node() != p.cur.Parent().Node() {
		if _, ok := at.Parent().Node().(ast.Stmt); ok && sel != nil {
			return false // the select is inside of another statement
		}
		switch at.Node().(type) {
		case *ast.BlockStmt, *ast.FuncLit, *ast.CaseClause, *ast.CommClause:
			return false
		}
		at = at.Parent()
		if at.Parent().Node() == nil {
			return false
		}
	}
	inside := false
	for _, s := range xcmd.Stmts(p.cur.Parent().Node()) {
		if s == at.Node() {
			return inside
		}
		if inside && leaves(s) {
			return false
		}
		inside = inside || s == p.goStmt
	}
	return false
}

func leaves(s ast.Stmt) bool {
	found := false
	ast.Inspect(s, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt, *ast.BranchStmt, *ast.LabeledStmt:
			found = true
		}
		return !found
	})
	return found
}

// waitContext rewrites a select that does what WaitContext does.
func (p *pattern) waitContext(sel *ast.SelectStmt, receives []inspector.Cursor) (analysis.TextEdit, bool) {
	var none analysis.TextEdit
	info := p.pass.TypesInfo
	if len(sel.Body.List) != 2 || len(receives) != 1 || xcmd.Commented(p.pass, sel.Pos(), sel.End()) {
		return none, false
	}
	var ctx ast.Expr
	waits := false
	for _, c := range sel.Body.List {
		c := c.(*ast.CommClause)
		if len(c.Body) != 1 {
			return none, false
		}
		ret, ok := c.Body[0].(*ast.ReturnStmt)
		if !ok || len(ret.Results) != 1 {
			return none, false
		}
		switch comm := c.Comm.(type) {
		case *ast.AssignStmt: // case err := <-done: return err
			lhs, ok1 := comm.Lhs[0].(*ast.Ident)
			res, ok2 := ret.Results[0].(*ast.Ident)
			waits = ok1 && ok2 && info.Defs[lhs] != nil && info.Uses[res] == info.Defs[lhs]
		case *ast.ExprStmt:
			if recv, ok := comm.X.(*ast.UnaryExpr); ok && recv.X == receives[0].Node().(*ast.UnaryExpr).X {
				return none, false // its result is not returned
			}
			ctx = causeOf(info, comm, ret.Results[0])
		}
	}
	if ctx == nil || !waits {
		return none, false
	}
	text := "return " + p.wait.Text(p.pass.Fset) + ".WaitContext(" + xcmd.Source(p.pass.Fset, ctx) + ")"
	return analysis.TextEdit{Pos: sel.Pos(), End: sel.End(), NewText: []byte(text)}, true
}

// causeOf returns ctx for case <-ctx.Done(): return context.Cause(ctx).
func causeOf(info *types.Info, comm *ast.ExprStmt, result ast.Expr) ast.Expr {
	recv, ok := comm.X.(*ast.UnaryExpr)
	if !ok {
		return nil
	}
	call, ok := recv.X.(*ast.CallExpr)
	if !ok {
		return nil
	}
	done, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || done.Sel.Name != "Done" {
		return nil
	}
	cause, ok := result.(*ast.CallExpr)
	if !ok || !xcmd.IsFunc(info, cause.Fun, "context", "Cause") || len(cause.Args) != 1 || !xcmd.Same(info, cause.Args[0], done.X) {
		return nil
	}
	return done.X
}
