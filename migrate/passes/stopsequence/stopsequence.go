// Package stopsequence defines an analyzer that finds hand-written graceful stops.
// Its documentation is doc.md.
package stopsequence

import (
	_ "embed"
	"go/ast"
	"go/token"

	"example.com/xexec/migrate/internal/xcmd"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

//go:embed doc.md
var doc string

// Analyzer finds SIGTERM, a pause, SIGKILL.
var Analyzer = &analysis.Analyzer{
	Name:     "stopsequence",
	Doc:      doc,
	URL:      "https://pkg.go.dev/example.com/xexec/migrate/passes/stopsequence",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	plain := !xcmd.Calls(pass, "SetTree", "SetStopSignal")
	for cur := range xcmd.Root(pass).Preorder((*ast.BlockStmt)(nil), (*ast.CaseClause)(nil), (*ast.CommClause)(nil)) {
		list := xcmd.Stmts(cur.Node())
		for i := range list {
			s, ok := match(pass, list[i:])
			if !ok {
				continue
			}
			d := analysis.Diagnostic{
				Pos: list[i].Pos(), End: s.stmts[len(s.stmts)-1].End(),
				Message: "stop signal, pause, kill: Shutdown does it, and returns when the command is gone",
			}
			if edits, ok := s.fix(pass, cur); ok && plain {
				d.SuggestedFixes = []analysis.SuggestedFix{{Message: "Use Shutdown", TextEdits: edits}}
			}
			pass.Report(d)
		}
	}
	return nil, nil
}

// A sequence is a stop signal, a pause and a kill.
type sequence struct {
	signal, kill *xcmd.Call
	stmts        []ast.Stmt
	grace        ast.Expr // the length of the pause
	waited       bool     // the command is waited for in it or next
}

func match(pass *analysis.Pass, list []ast.Stmt) (*sequence, bool) {
	if len(list) < 2 {
		return nil, false
	}
	s := new(sequence)
	var ok bool
	if s.signal, ok = discarded(pass, list[0], "Signal", "Terminate"); !ok {
		return nil, false
	}
	if s.signal.Name == "Signal" && (len(s.signal.Args) != 1 || !xcmd.IsSignal(pass.TypesInfo, s.signal.Args[0], "SIGTERM")) {
		return nil, false
	}
	switch next := list[1].(type) {
	case *ast.ExprStmt:
		call, ok := next.X.(*ast.CallExpr)
		if !ok || !xcmd.IsFunc(pass.TypesInfo, call.Fun, "time", "Sleep") || len(call.Args) != 1 || len(list) < 3 {
			return nil, false
		}
		s.grace, s.stmts = call.Args[0], list[:3]
		if s.kill, ok = s.killed(pass, list[2]); !ok {
			return nil, false
		}
		s.waited = len(list) > 3 && s.waits(pass, list[3])
		return s, true
	case *ast.SelectStmt:
		s.stmts = list[:2]
		return s, s.pause(pass, next)
	}
	return nil, false
}

// discarded returns the call of one of the methods that the statement makes, if
// it does not look at the result.
func discarded(pass *analysis.Pass, s ast.Stmt, names ...string) (*xcmd.Call, bool) {
	call, ok := xcmd.Discarded(s)
	if !ok {
		return nil, false
	}
	c, ok := xcmd.Method(pass.TypesInfo, call)
	if !ok {
		return nil, false
	}
	for _, name := range names {
		if c.Name == name {
			return c, true
		}
	}
	return nil, false
}

// killed returns the call that kills the same command.
func (s *sequence) killed(pass *analysis.Pass, stmt ast.Stmt) (*xcmd.Call, bool) {
	c, ok := discarded(pass, stmt, "Kill", "Signal")
	if !ok || !xcmd.SameCmd(pass.TypesInfo, c, s.signal) {
		return nil, false
	}
	return c, c.Name == "Kill" || len(c.Args) == 1 && xcmd.IsSignal(pass.TypesInfo, c.Args[0], "SIGKILL", "Kill")
}

// waits reports whether the statement begins with waiting for the command.
func (s *sequence) waits(pass *analysis.Pass, stmt ast.Stmt) bool {
	var e ast.Expr
	switch stmt := stmt.(type) {
	case *ast.ExprStmt:
		e = stmt.X
	case *ast.AssignStmt:
		if len(stmt.Rhs) == 1 {
			e = stmt.Rhs[0]
		}
	case *ast.ReturnStmt:
		if len(stmt.Results) == 1 {
			e = stmt.Results[0]
		}
	case *ast.IfStmt:
		return stmt.Init != nil && s.waits(pass, stmt.Init)
	}
	if e == nil {
		return false
	}
	if recv, ok := e.(*ast.UnaryExpr); ok && recv.Op == token.ARROW {
		c, ok := xcmd.Method(pass.TypesInfo, recv.X)
		return ok && c.Name == "Done" && xcmd.SameCmd(pass.TypesInfo, c, s.signal)
	}
	c, ok := xcmd.Method(pass.TypesInfo, e)
	return ok && c.Name == "Wait" && !c.Process() && xcmd.SameCmd(pass.TypesInfo, c, s.signal)
}

// pause recognizes a select between the command's end and a timer that kills it.
// It is waited for if that is all it does.
func (s *sequence) pause(pass *analysis.Pass, sel *ast.SelectStmt) bool {
	if len(sel.Body.List) != 2 {
		return false
	}
	ended, timer, only := false, false, true
	for _, c := range sel.Body.List {
		c := c.(*ast.CommClause)
		var recv *ast.UnaryExpr
		switch comm := c.Comm.(type) {
		case *ast.ExprStmt:
			recv, _ = comm.X.(*ast.UnaryExpr)
		case *ast.AssignStmt:
			recv, _ = comm.Rhs[0].(*ast.UnaryExpr)
			only = false
		}
		if recv == nil {
			return false
		}
		if call, ok := recv.X.(*ast.CallExpr); ok && xcmd.IsFunc(pass.TypesInfo, call.Fun, "time", "After") && len(call.Args) == 1 {
			timer = true
			s.grace = call.Args[0]
			if len(c.Body) == 0 {
				return false
			}
			var ok bool
			if s.kill, ok = s.killed(pass, c.Body[0]); !ok {
				return false
			}
			for _, stmt := range c.Body[1:] {
				only = only && s.waitsOnly(pass, stmt)
			}
			continue
		}
		ended = true
		done, ok := xcmd.Method(pass.TypesInfo, recv.X)
		only = only && ok && done.Name == "Done" && xcmd.SameCmd(pass.TypesInfo, done, s.signal)
		for _, stmt := range c.Body {
			only = only && s.waitsOnly(pass, stmt)
		}
	}
	s.waited = only
	return ended && timer
}

// waitsOnly reports whether the statement waits and forgets the result.
func (s *sequence) waitsOnly(pass *analysis.Pass, stmt ast.Stmt) bool {
	switch stmt := stmt.(type) {
	case *ast.ExprStmt:
		return s.waits(pass, stmt)
	case *ast.AssignStmt:
		_, ok := xcmd.Discarded(stmt)
		return ok && s.waits(pass, stmt)
	}
	return false
}

// fix replaces the statements one by one, so that comments between them stay.
func (s *sequence) fix(pass *analysis.Pass, cur inspector.Cursor) ([]analysis.TextEdit, bool) {
	if _, ok := xcmd.Stable(pass.TypesInfo, s.signal.Cmd); !ok || !s.waited {
		return nil, false
	}
	at := s.stmts[0].Pos()
	fn, _ := xcmd.Func(cur)
	file := xcmd.File(pass, at)
	if fn == nil || file == nil {
		return nil, false
	}
	ctx := xcmd.Fresh(pass, fn, at, "ctx", "graceCtx", "stopCtx")
	cancel := xcmd.Fresh(pass, fn, at, "cancel", "graceCancel", "stopCancel")
	pkg, imports, ok := xcmd.AddImport(pass, file, at, "context")
	if ctx == "" || cancel == "" || !ok {
		return nil, false
	}
	shutdown := s.signal.Text(pass.Fset) + ".Shutdown(" + ctx + ")"
	texts := []string{
		ctx + ", " + cancel + " := " + pkg + ".WithTimeout(" + pkg + ".Background(), " + xcmd.Source(pass.Fset, s.grace) + ")",
		shutdown,
		cancel + "()",
	}
	if len(s.stmts) == 2 {
		texts = []string{texts[0], shutdown + "\n" + texts[2]}
	}
	var edits, gone []analysis.TextEdit
	for i, stmt := range s.stmts {
		if xcmd.Commented(pass, stmt.Pos(), stmt.End()) {
			return nil, false
		}
		edits = append(edits, analysis.TextEdit{Pos: stmt.Pos(), End: stmt.End(), NewText: []byte(texts[i])})
		// What the new text uses of the old is not gone.
		if stmt.Pos() <= s.grace.Pos() && s.grace.End() <= stmt.End() {
			gone = append(gone, analysis.TextEdit{Pos: stmt.Pos(), End: s.grace.Pos()}, analysis.TextEdit{Pos: s.grace.End(), End: stmt.End()})
		} else {
			gone = append(gone, edits[i])
		}
	}
	for _, path := range []string{"syscall", "golang.org/x/sys/unix", "os", "time"} {
		edits = append(edits, xcmd.DropImport(pass, file, path, gone)...)
	}
	return append(edits, imports...), true
}
