package oscmd

import (
	"context"
	"os/exec"
	"reflect"
	"unsafe"
)

// Code identifies the code of a func() error: two values made by the same
// function literal, or method values of the same method, have the same.
func Code(f func() error) uintptr {
	if f == nil {
		return 0
	}
	return reflect.ValueOf(f).Pointer()
}

// IsDefaultCancel reports whether f is the Cancel that os/exec's CommandContext
// sets.
func IsDefaultCancel(f func() error) bool { return f != nil && Code(f) == defaultCancel }

var defaultCancel = Code(exec.CommandContext(context.Background(), "/").Cancel)

// Receiver returns the receiver of f, which has to be a method value of a command.
// A func value points to its code's address, and a method value's is followed by
// the receiver.
func Receiver(f func() error) *exec.Cmd {
	type methodValue struct {
		code     uintptr
		receiver *exec.Cmd
	}
	return (**(**methodValue)(unsafe.Pointer(&f))).receiver
}
