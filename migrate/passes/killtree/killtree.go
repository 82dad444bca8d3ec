// Package killtree defines an analyzer that finds process groups and trees that
// are signalled by number. Its documentation is doc.md.
package killtree

import (
	_ "embed"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"

	"example.com/xexec/migrate/internal/xcmd"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
)

//go:embed doc.md
var doc string

// Analyzer finds syscall.Kill(-cmd.Process.Pid, sig) and its kin.
var Analyzer = &analysis.Analyzer{
	Name:     "killtree",
	Doc:      doc,
	URL:      "https://pkg.go.dev/example.com/xexec/migrate/passes/killtree",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	if !xcmd.Imports(pass, xcmd.Path) {
		return nil, nil
	}
	info := pass.TypesInfo
	t := &tracker{pass: pass, known: make(map[types.Object]number)}
	for t.changed = true; t.changed; {
		t.changed = false
		t.note()
	}
	for cur := range xcmd.Root(pass).Preorder((*ast.CallExpr)(nil)) {
		call := cur.Node().(*ast.CallExpr)
		switch {
		case len(call.Args) == 2 && xcmd.IsSys(info, call.Fun, "Kill") && t.eval(call.Args[0])&group != 0:
			pass.ReportRangef(call, "process group signalled by its number, which can be a stranger's: SetTree(true), then Kill or Signal")
		case len(call.Args) == 1 && xcmd.IsFunc(info, call.Fun, "os", "FindProcess") && t.eval(call.Args[0])&group != 0:
			pass.ReportRangef(call, "process group looked up by its number, which can be a stranger's: SetTree(true), then Kill or Signal")
		case isTaskkill(info, call):
			pass.ReportRangef(call, "process tree killed by its number through taskkill: SetTree(true), then Kill")
		}
	}
	return nil, nil
}

// A number says what an expression may hold.
type number uint8

const (
	pid   number = 1 << iota // a command's Process, its id, or its group's
	group                    // a negative one, which names the group
)

// A tracker follows the ids of commands through the variables, fields, parameters
// and results of a package.
type tracker struct {
	pass    *analysis.Pass
	known   map[types.Object]number
	changed bool
}

// note goes through the package once, and notes what gets an id.
func (t *tracker) note() {
	info := t.pass.TypesInfo
	for cur := range xcmd.Root(t.pass).Preorder((*ast.AssignStmt)(nil), (*ast.ValueSpec)(nil), (*ast.KeyValueExpr)(nil), (*ast.CallExpr)(nil), (*ast.ReturnStmt)(nil)) {
		switch n := cur.Node().(type) {
		case *ast.AssignStmt:
			for i, rhs := range n.Rhs {
				t.set(xcmd.Object(info, n.Lhs[i]), t.eval(rhs)) // of several results, the first
			}
		case *ast.ValueSpec:
			for i, e := range n.Values {
				t.set(info.Defs[n.Names[i]], t.eval(e))
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok {
				t.set(info.Uses[key], t.eval(n.Value))
			}
		case *ast.CallExpr:
			fn, ok := xcmd.Object(info, n.Fun).(*types.Func)
			if !ok || fn.Pkg() != t.pass.Pkg {
				continue
			}
			for i, arg := range n.Args {
				if i < fn.Signature().Params().Len() {
					t.set(fn.Signature().Params().At(i), t.eval(arg))
				}
			}
		case *ast.ReturnStmt:
			if len(n.Results) == 0 {
				continue
			}
			if fn, _ := xcmd.Func(cur); fn != nil {
				if fd, ok := fn.(*ast.FuncDecl); ok {
					t.set(info.Defs[fd.Name], t.eval(n.Results[0]))
				}
			}
		}
	}
}

func (t *tracker) set(obj types.Object, n number) {
	if obj != nil && obj.Pkg() == t.pass.Pkg && t.known[obj]|n != t.known[obj] {
		t.known[obj] |= n
		t.changed = true
	}
}

func (t *tracker) eval(e ast.Expr) number {
	info := t.pass.TypesInfo
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return t.known[info.ObjectOf(e)]
	case *ast.SelectorExpr:
		if _, _, ok := xcmd.Process(info, e); ok {
			return pid
		}
		if e.Sel.Name == "Pid" {
			return t.eval(e.X)
		}
		return t.known[info.Uses[e.Sel]]
	case *ast.UnaryExpr:
		if e.Op == token.SUB {
			return negated(t.eval(e.X))
		}
	case *ast.BinaryExpr:
		x, y := t.eval(e.X), t.eval(e.Y)
		switch {
		case e.Op == token.MUL && negative(info, e.X):
			return negated(y)
		case e.Op == token.MUL && negative(info, e.Y):
			return negated(x)
		case e.Op == token.SUB && info.Types[e.X].Value != nil: // 0 - pid
			return negated(y)
		}
	case *ast.CallExpr:
		if info.Types[e.Fun].IsType() && len(e.Args) == 1 {
			return t.eval(e.Args[0])
		}
		if c, ok := xcmd.Method(info, e); ok && c.Name == "Pid" {
			return pid
		}
		if xcmd.IsSys(info, e.Fun, "Getpgid") && len(e.Args) == 1 {
			return t.eval(e.Args[0])
		}
		return t.known[xcmd.Object(info, e.Fun)]
	}
	return 0
}

func negated(n number) number {
	var m number
	if n&pid != 0 {
		m |= group
	}
	if n&group != 0 {
		m |= pid
	}
	return m
}

func negative(info *types.Info, e ast.Expr) bool {
	v := info.Types[e].Value
	return v != nil && v.Kind() == constant.Int && constant.Sign(v) < 0
}

// isTaskkill recognizes exec.Command("taskkill", …, "/T", …).
func isTaskkill(info *types.Info, call *ast.CallExpr) bool {
	if !xcmd.IsFunc(info, call.Fun, xcmd.Path, "Command") && !xcmd.IsFunc(info, call.Fun, xcmd.Path, "CommandContext") {
		return false
	}
	has := make(map[string]bool)
	for _, a := range call.Args {
		if v := info.Types[a].Value; v != nil && v.Kind() == constant.String {
			has[constant.StringVal(v)] = true
		}
	}
	return (has["taskkill"] || has["taskkill.exe"] || has["TASKKILL"]) && (has["/T"] || has["/t"])
}
