package swap

import "go/types"

// cmdOf returns which of the two Cmd types t is: Std, Xexec or "".
func cmdOf(t types.Type) string {
	n, ok := types.Unalias(t).(*types.Named)
	if !ok || n.Obj().Name() != "Cmd" || n.Obj().Pkg() == nil {
		return ""
	}
	switch p := n.Obj().Pkg().Path(); p {
	case Std, Xexec:
		return p
	}
	return ""
}

// ptrCmdOf is cmdOf for the type that t points to.
func ptrCmdOf(t types.Type) string {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		return cmdOf(p.Elem())
	}
	return ""
}

// mentionsCmd reports whether a value of type t is, holds or passes on a Cmd in
// its type: through pointers, containers, signatures and type arguments, and
// through named types for all of those and for interfaces. The fields of a named
// struct and the methods of a concrete type are objects of their own.
func mentionsCmd(t types.Type) bool {
	seen := make(map[types.Type]bool)
	var walk func(types.Type) bool
	tuple := func(t *types.Tuple) bool {
		for v := range t.Variables() {
			if walk(v.Type()) {
				return true
			}
		}
		return false
	}
	walk = func(t types.Type) bool {
		t = types.Unalias(t)
		if t == nil || seen[t] {
			return false
		}
		seen[t] = true
		switch t := t.(type) {
		case *types.Named:
			if cmdOf(t) != "" {
				return true
			}
			for a := range t.TypeArgs().Types() {
				if walk(a) {
					return true
				}
			}
			if _, ok := t.Underlying().(*types.Struct); ok {
				return false
			}
			return walk(t.Underlying())
		case *types.Pointer:
			return walk(t.Elem())
		case *types.Slice:
			return walk(t.Elem())
		case *types.Array:
			return walk(t.Elem())
		case *types.Chan:
			return walk(t.Elem())
		case *types.Map:
			return walk(t.Key()) || walk(t.Elem())
		case *types.Signature:
			return tuple(t.Params()) || tuple(t.Results())
		case *types.Tuple:
			return tuple(t)
		case *types.Struct:
			for f := range t.Fields() {
				if walk(f.Type()) {
					return true
				}
			}
		case *types.Interface:
			for m := range t.Methods() {
				if walk(m.Type()) {
					return true
				}
			}
		case *types.Union:
			for term := range t.Terms() {
				if walk(term.Type()) {
					return true
				}
			}
		}
		return false
	}
	return walk(t)
}

// A conversion says how a value of one type becomes one of another.
type conversion int

const (
	none      conversion = iota // not at all
	same                        // as it is
	ptrToStd                    // x.Std()
	ptrFrom                     // xexec.FromStd(x)
	valToStd                    // *x.Std()
	valFrom                     // xexec.Cmd(x)
	wrapFuncs                   // a function literal around x
)

// converts returns how from becomes to. Function types convert if each of their
// parameters and results does without another function literal.
func converts(from, to types.Type) conversion {
	if types.Identical(from, to) {
		return same
	}
	switch f, t := ptrCmdOf(from), ptrCmdOf(to); {
	case f == Xexec && t == Std:
		return ptrToStd
	case f == Std && t == Xexec:
		return ptrFrom
	}
	switch f, t := cmdOf(from), cmdOf(to); {
	case f == Xexec && t == Std:
		return valToStd
	case f == Std && t == Xexec:
		return valFrom
	}
	fs, ok1 := from.Underlying().(*types.Signature)
	ts, ok2 := to.Underlying().(*types.Signature)
	if ok1 && ok2 && fs.TypeParams().Len() == 0 && fs.Variadic() == ts.Variadic() &&
		convertsAll(ts.Params(), fs.Params()) && convertsAll(fs.Results(), ts.Results()) {
		return wrapFuncs
	}
	return none
}

func convertsAll(from, to *types.Tuple) bool {
	if from.Len() != to.Len() {
		return false
	}
	for i := range from.Len() {
		switch converts(from.At(i).Type(), to.At(i).Type()) {
		case none, wrapFuncs, valToStd:
			return false
		}
	}
	return true
}

// originOf returns the declared object of an instance of a generic one.
func originOf(obj types.Object) types.Object {
	switch o := obj.(type) {
	case *types.Func:
		return o.Origin()
	case *types.Var:
		return o.Origin()
	}
	return obj
}
