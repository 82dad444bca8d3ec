// Package killtree defines an analyzer that finds process groups killed by number.
// Its documentation is doc.md.
package killtree

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

// Analyzer finds syscall.Kill(-cmd.Process.Pid, sig).
var Analyzer = &analysis.Analyzer{
	Name:     "killtree",
	Doc:      doc,
	URL:      "https://pkg.go.dev/example.com/xexec/migrate/passes/killtree",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	for cur := range xcmd.Root(pass).Preorder((*ast.CallExpr)(nil)) {
		call := cur.Node().(*ast.CallExpr)
		cmd, ok := killedGroup(pass, call)
		if !ok {
			continue
		}
		d := analysis.Diagnostic{
			Pos: call.Pos(), End: call.End(),
			Message: "process group killed by its number, which can be a stranger's: SetTree(true), then Kill or Signal",
		}
		if edits, ok := fix(pass, cur, call, cmd); ok {
			d.SuggestedFixes = []analysis.SuggestedFix{{Message: "Use SetTree and Kill", TextEdits: edits}}
		}
		pass.Report(d)
	}
	return nil, nil
}

// killedGroup returns cmd for syscall.Kill(-cmd.Process.Pid, sig).
func killedGroup(pass *analysis.Pass, call *ast.CallExpr) (ast.Expr, bool) {
	info := pass.TypesInfo
	if len(call.Args) != 2 || !xcmd.IsFunc(info, call.Fun, "syscall", "Kill") && !xcmd.IsFunc(info, call.Fun, "golang.org/x/sys/unix", "Kill") {
		return nil, false
	}
	neg, ok := ast.Unparen(call.Args[0]).(*ast.UnaryExpr)
	if !ok || neg.Op != token.SUB {
		return nil, false
	}
	pid, ok := ast.Unparen(neg.X).(*ast.SelectorExpr)
	if !ok || pid.Sel.Name != "Pid" {
		return nil, false
	}
	proc, ok := pid.X.(*ast.SelectorExpr)
	if !ok || proc.Sel.Name != "Process" || !xcmd.IsCmd(info.TypeOf(proc.X)) {
		return nil, false
	}
	return proc.X, true
}

// fix returns the edits for a function that does all of it: see doc.md.
func fix(pass *analysis.Pass, cur inspector.Cursor, call *ast.CallExpr, cmd ast.Expr) ([]analysis.TextEdit, bool) {
	info := pass.TypesInfo
	id, ok := cmd.(*ast.Ident)
	if !ok || !xcmd.IsSignal(info, call.Args[1], "SIGKILL") {
		return nil, false
	}
	def, ok := cur.Parent().Node().(*ast.DeferStmt)
	if !ok {
		return nil, false
	}
	_, body := xcmd.Func(cur)
	if body == nil || cur.Parent().Parent().Node() != body || len(body.List) == 0 {
		return nil, false
	}
	f := &function{pass: pass, obj: info.Uses[id], def: def, seen: make(map[*ast.Ident]bool)}
	f.seen[id] = true
	for _, s := range body.List {
		f.stmt(s)
	}
	last, ok := body.List[len(body.List)-1].(*ast.ReturnStmt)
	if !ok || len(last.Results) != 1 || f.setpgid == nil || f.defers != 1 || !f.made || !f.started {
		return nil, false
	}
	if w, ok := xcmd.Method(info, last.Results[0]); !ok || w.Name != "Wait" || w.Process() || !f.is(w.Cmd) {
		return nil, false
	}
	for _, use := range xcmd.Uses(pass, f.obj) {
		if !f.seen[use] {
			return nil, false // it does something that is not known here
		}
	}
	if xcmd.Commented(pass, f.setpgid.Pos(), f.setpgid.End()) || xcmd.Commented(pass, call.Pos(), call.End()) {
		return nil, false
	}
	edits := []analysis.TextEdit{
		{Pos: f.setpgid.Pos(), End: f.setpgid.End(), NewText: []byte(id.Name + ".SetTree(true)")},
		{Pos: call.Pos(), End: call.End(), NewText: []byte(id.Name + ".Kill()")},
	}
	file := xcmd.File(pass, call.Pos())
	edits = append(edits, xcmd.DropImport(pass, file, "syscall", edits)...)
	return append(edits, xcmd.DropImport(pass, file, "golang.org/x/sys/unix", edits)...), true
}

// A function is what is known of the life of a command in one.
type function struct {
	pass    *analysis.Pass
	obj     types.Object
	def     *ast.DeferStmt // the kill
	made    bool           // by Command
	started bool           // before the defer statement
	setpgid *ast.AssignStmt
	defers  int
	seen    map[*ast.Ident]bool // uses that are understood
}

func (f *function) is(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	if !ok || f.pass.TypesInfo.Uses[id] != f.obj {
		return false
	}
	f.seen[id] = true
	return true
}

func (f *function) stmt(s ast.Stmt) {
	info := f.pass.TypesInfo
	switch s := s.(type) {
	case *ast.DeferStmt:
		f.defers++
	case *ast.IfStmt: // if err := cmd.Start(); err != nil { return err }
		if a, ok := s.Init.(*ast.AssignStmt); ok {
			f.start(a)
		}
	case *ast.AssignStmt:
		f.start(s)
		if len(s.Lhs) != 1 || len(s.Rhs) != 1 {
			return
		}
		if id, ok := s.Lhs[0].(*ast.Ident); ok && info.Defs[id] == f.obj {
			call, ok := s.Rhs[0].(*ast.CallExpr)
			f.made = ok && xcmd.IsFunc(info, call.Fun, xcmd.Path, "Command")
			return
		}
		field, ok := s.Lhs[0].(*ast.SelectorExpr)
		if !ok {
			return
		}
		switch field.Sel.Name {
		case "Dir", "Env", "Path", "Args":
			f.is(field.X)
		case "Stdin", "Stdout", "Stderr":
			for _, name := range []string{"Stdin", "Stdout", "Stderr"} {
				if xcmd.IsFunc(info, s.Rhs[0], "os", name) {
					f.is(field.X)
				}
			}
		case "SysProcAttr":
			if isSetpgid(s.Rhs[0]) && f.is(field.X) {
				f.setpgid = s
			}
		}
	}
}

func (f *function) start(a *ast.AssignStmt) {
	if len(a.Rhs) != 1 || a.Pos() > f.def.Pos() {
		return
	}
	if c, ok := xcmd.Method(f.pass.TypesInfo, a.Rhs[0]); ok && c.Name == "Start" && f.is(c.Cmd) {
		f.started = true
	}
}

// isSetpgid recognizes &syscall.SysProcAttr{Setpgid: true}.
func isSetpgid(e ast.Expr) bool {
	addr, ok := e.(*ast.UnaryExpr)
	if !ok || addr.Op != token.AND {
		return false
	}
	lit, ok := addr.X.(*ast.CompositeLit)
	if !ok || len(lit.Elts) != 1 {
		return false
	}
	kv, ok := lit.Elts[0].(*ast.KeyValueExpr)
	if !ok {
		return false
	}
	key, ok1 := kv.Key.(*ast.Ident)
	val, ok2 := kv.Value.(*ast.Ident)
	return ok1 && ok2 && key.Name == "Setpgid" && val.Name == "true"
}
