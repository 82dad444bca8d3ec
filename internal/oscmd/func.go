package oscmd

import (
	"context"
	"os/exec"
	"reflect"
	"runtime"
	"unsafe"
)

// A Cancel is what the Cancel of a command stands for. Call is set for OtherCancel
// only, so that the other kinds do not hold the command.
type Cancel struct {
	Kind CancelKind
	Call func() error
}

// A CancelKind is what a Cancel does.
type CancelKind int

const (
	NoCancel        CancelKind = iota // there is none
	DefaultCancel                     // CommandContext's, os/exec's or ours, for whichever command
	KillCancel                        // the method value Kill of this command
	TerminateCancel                   // the method value Terminate of this command
	OtherCancel                       // any other function
)

// Cancels knows the functions that a Cancel may be: one that our CommandContext has
// made, and method values of whichever command.
type Cancels struct{ byDefault, kill, terminate uintptr }

// CancelsOf returns the Cancels of the functions that are given.
func CancelsOf(byDefault, kill, terminate func() error) Cancels {
	return Cancels{code(byDefault), code(kill), code(terminate)}
}

// Of returns what cmd's Cancel stands for. A struct copy has the default Cancel of
// the original; what is meant is: kill the command whose context has ended.
func (c Cancels) Of(cmd *exec.Cmd) Cancel {
	f := cmd.Cancel
	switch at := code(f); {
	case f == nil:
		return Cancel{}
	case at == c.byDefault, at == defaultCancel, literal(at) == literal(defaultCancel):
		return Cancel{Kind: DefaultCancel}
	case at == c.kill && isOf(f, cmd):
		return Cancel{Kind: KillCancel}
	case at == c.terminate && isOf(f, cmd):
		return Cancel{Kind: TerminateCancel}
	}
	return Cancel{OtherCancel, f}
}

var defaultCancel = code(exec.CommandContext(context.Background(), "/").Cancel)

// literal tells where in the source the function is that has its code at pc. A function
// literal has code of its own for each caller that exec.CommandContext is inlined into,
// as it is with a profile (go build -pgo).
func literal(pc uintptr) (at struct {
	file string
	line int
}) {
	at.file, at.line = runtime.FuncForPC(pc).FileLine(pc)
	return at
}

// code identifies the code of f: two values made by the same function literal, or
// method values of the same method, have the same.
func code(f func() error) uintptr { return reflect.ValueOf(f).Pointer() }

// isOf reports whether f, a method value of a command, is one of cmd, or of a struct that
// cmd is a copy of, made after the start.
func isOf(f func() error, cmd *exec.Cmd) bool {
	of := receiver(f)
	return of == cmd || of != nil && cmd.Process != nil && of.Process == cmd.Process
}

// receiver returns the receiver of f, which has to be a method value of a command.
// A func value points to its code's address, and a method value's is followed by
// the receiver.
func receiver(f func() error) *exec.Cmd {
	type methodValue struct {
		_        uintptr // the code
		receiver *exec.Cmd
	}
	return (**(**methodValue)(unsafe.Pointer(&f))).receiver
}
