// Package stopsequence defines an analyzer that finds commands stopped by a signal,
// a pause and a kill. Its documentation is doc.md.
package stopsequence

import (
	_ "embed"
	"go/ast"
	"go/types"

	"example.com/xexec/migrate/internal/xcmd"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
)

//go:embed doc.md
var doc string

// Analyzer finds SIGTERM, a pause, and SIGKILL in one function.
var Analyzer = &analysis.Analyzer{
	Name:     "stopsequence",
	Doc:      doc,
	URL:      "https://pkg.go.dev/example.com/xexec/migrate/passes/stopsequence",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	if !xcmd.Imports(pass, xcmd.Path) {
		return nil, nil
	}
	for cur := range xcmd.Root(pass).Preorder((*ast.FuncDecl)(nil)) {
		if body := cur.Node().(*ast.FuncDecl).Body; body != nil {
			function(pass, body)
		}
	}
	return nil, nil
}

// A step is a call that asks a command to stop, or kills it.
type step struct {
	call *ast.CallExpr
	cmd  *xcmd.Call // nil for syscall.Kill
}

// function reports the calls in body that ask a command to stop and are followed
// by its kill, if the function also waits for some time.
func function(pass *analysis.Pass, body *ast.BlockStmt) {
	info := pass.TypesInfo
	var asks, kills []step
	pause := false
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		pause = pause || isPause(info, call)
		s := step{call: call}
		s.cmd, _ = xcmd.Method(info, call)
		switch {
		case isAsk(info, s):
			asks = append(asks, s)
		case isKill(info, s):
			kills = append(kills, s)
		}
		return true
	})
	if !pause {
		return
	}
	for _, a := range asks {
		for _, k := range kills {
			if a.call.End() < k.call.Pos() && (a.cmd == nil || k.cmd == nil || a.cmd.Path == k.cmd.Path && xcmd.Same(info, a.cmd.Cmd, k.cmd.Cmd)) {
				pass.ReportRangef(a.call, "stop signal, pause, kill: Shutdown does this, and does not pause longer than it has to")
				break
			}
		}
	}
}

func isPause(info *types.Info, call *ast.CallExpr) bool {
	for _, name := range []string{"Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"} {
		if xcmd.IsFunc(info, call.Fun, "time", name) {
			return true
		}
	}
	return xcmd.IsFunc(info, call.Fun, "context", "WithTimeout") || xcmd.IsFunc(info, call.Fun, "context", "WithDeadline")
}

func isAsk(info *types.Info, s step) bool {
	if s.cmd != nil {
		return s.cmd.Name == "Terminate" || s.cmd.Name == "Signal" && len(s.call.Args) == 1 && isPolite(info, s.call.Args[0])
	}
	return isSysKill(info, s.call) && isPolite(info, s.call.Args[1])
}

// isPolite reports whether e may be a signal that asks: it is not SIGKILL, and
// none that has to do with something else.
func isPolite(info *types.Info, e ast.Expr) bool {
	if xcmd.IsSys(info, e, "SIGTERM", "SIGINT", "SIGQUIT", "Interrupt") {
		return true
	}
	v, ok := xcmd.Object(info, e).(*types.Var) // the caller's choice
	return ok && (v.IsField() || v.Parent() != v.Pkg().Scope())
}

func isKill(info *types.Info, s step) bool {
	if s.cmd != nil {
		return s.cmd.Name == "Kill" || s.cmd.Name == "Signal" && len(s.call.Args) == 1 && xcmd.IsSys(info, s.call.Args[0], "SIGKILL", "Kill")
	}
	return isSysKill(info, s.call) && xcmd.IsSys(info, s.call.Args[1], "SIGKILL")
}

func isSysKill(info *types.Info, call *ast.CallExpr) bool {
	return len(call.Args) == 2 && xcmd.IsSys(info, call.Fun, "Kill")
}
