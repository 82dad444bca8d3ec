// Package oscmd looks up, in os/exec's struct, what that does not export: which
// context a command was made with, whether its Start was called, which pipes it
// has made. No other package of this module touches an unexported field.
//
// It reads them, and writes two: the flag that says that Start was called, and
// the list of what os/exec's Wait is to close. Each function has an answer for an
// os/exec that lacks the field, or has it with another type; the tests fail when
// the toolchain's os/exec has fields that this package does not know.
//
// The caller sees to it that nobody writes the struct meanwhile, as os/exec's
// methods want it too. Only Claim and Unclaimed may be called at any time.
package oscmd

import (
	"context"
	"io"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"
)

// A field is an unexported field of exec.Cmd.
type field[T any] struct {
	offset uintptr
	known  bool
}

func find[T any](name string) field[T] {
	f, ok := reflect.TypeFor[exec.Cmd]().FieldByName(name)
	return field[T]{f.Offset, ok && f.Type == reflect.TypeFor[T]()}
}

// of returns the address of the field in cmd, or nil if there is no such field.
func (f field[T]) of(cmd *exec.Cmd) *T {
	if !f.known {
		return nil
	}
	return (*T)(unsafe.Add(unsafe.Pointer(cmd), f.offset))
}

// get returns the field's value, the zero value if there is no such field.
func (f field[T]) get(cmd *exec.Cmd) (v T) {
	if p := f.of(cmd); p != nil {
		v = *p
	}
	return v
}

var (
	ctx           = find[context.Context]("ctx")
	startCalled   = find[int32]("startCalled")
	childIOFiles  = find[[]io.Closer]("childIOFiles")
	parentIOPipes = find[[]io.Closer]("parentIOPipes")
	goroutineErr  = find[<-chan error]("goroutineErr")
)

// Context returns the context that cmd was made with, or nil if there is none.
// It cannot tell, and returns nil, for an os/exec without the field.
func Context(cmd *exec.Cmd) context.Context { return ctx.get(cmd) }

// Claim says that Start was called, and reports whether it was the first to say
// so. For an os/exec without the field it reports whether there is no process.
func Claim(cmd *exec.Cmd) bool {
	if flag := startCalled.of(cmd); flag != nil {
		return atomic.SwapInt32(flag, 1) == 0
	}
	return cmd.Process == nil
}

// Unclaimed reports that Start was not called. For an os/exec without the field
// it reports false.
func Unclaimed(cmd *exec.Cmd) bool {
	flag := startCalled.of(cmd)
	return flag != nil && atomic.LoadInt32(flag) == 0
}

// ChildEnds returns the child's ends of the pipes that methods have opened for cmd,
// which are closed once it is started. For an os/exec without the field there are
// none.
func ChildEnds(cmd *exec.Cmd) []io.Closer { return childIOFiles.get(cmd) }

// ParentEnds returns the parent's ends, which are closed when the command is over, or
// what Hold has put there. For an os/exec without the field there are none. It may be
// called in a Cancel that os/exec's watcher calls.
func ParentEnds(cmd *exec.Cmd) []io.Closer { return parentIOPipes.get(cmd) }

// Hold makes parent the list of what os/exec's Wait closes when the command is
// over. It is how an object can live for as long as the struct, and each copy of
// it, does. It reports false for an os/exec without the field.
func Hold(cmd *exec.Cmd, parent ...io.Closer) bool {
	list := parentIOPipes.of(cmd)
	if list == nil {
		return false
	}
	*list = parent
	return true
}

// failed is held by the struct of a command whose start has failed.
type failed struct{}

func (failed) Close() error { return nil }

// Fail makes Failed report true for cmd, and for each copy of it. The parent's ends are
// not held any more.
func Fail(cmd *exec.Cmd) { Hold(cmd, failed{}) }

// Failed reports whether Fail was called.
func Failed(cmd *exec.Cmd) bool { return slices.Contains(ParentEnds(cmd), io.Closer(failed{})) }

// ReplacePipe puts end in the place of pipe, a parent's end that os/exec has just
// made for cmd. The list is a new one: a struct copy may share the old one.
func ReplacePipe(cmd *exec.Cmd, pipe, end io.Closer) {
	parent := ParentEnds(cmd)
	if i := slices.Index(parent, pipe); i >= 0 {
		parent = slices.Clone(parent)
		parent[i] = end
		Hold(cmd, parent...)
	}
}

// WaitMayBlock reports whether os/exec's Wait for cmd, which it has started and
// whose process has exited, may have to wait: for a goroutine that copies, for the
// one that watches the context and may call a Cancel, or for whoever uses a pipe that
// is to be closed.
func WaitMayBlock(cmd *exec.Cmd) bool {
	watches := reflect.ValueOf(cmd).Elem().FieldByName("ctxResult")
	if !goroutineErr.known || watches.Kind() != reflect.Chan {
		return true
	}
	// While there is a watcher, goroutineErr is its to write.
	return !watches.IsNil() || goroutineErr.get(cmd) != nil || len(parentIOPipes.get(cmd)) > 0
}

// Wait calls os/exec's Wait for cmd, which os/exec has started, and returns the status.
// Each of the goroutines that os/exec has for cmd tells one Wait that it is done. If
// another Wait runs beside this one, it is told here.
func Wait(cmd *exec.Cmd) (*os.ProcessState, error) {
	var told reflect.Value
	for _, name := range []string{"ctxResult", "goroutineErr"} {
		// While there is a watcher of the context, goroutineErr is its to write.
		if f := reflect.ValueOf(cmd).Elem().FieldByName(name); f.Kind() == reflect.Chan && !f.IsNil() {
			both := reflect.ChanOf(reflect.BothDir, f.Type().Elem())
			told = reflect.NewAt(both, f.Addr().UnsafePointer()).Elem()
			told = reflect.ValueOf(told.Interface())
			break
		}
	}
	err := cmd.Wait()
	if told.IsValid() && (err == nil || err.Error() != "exec: Wait was already called") {
		for range 10 {
			if told.TrySend(reflect.Zero(told.Type().Elem())) {
				break
			}
			time.Sleep(100 * time.Microsecond) // it may be just about to ask
		}
	}
	return cmd.ProcessState, err
}

// ofARun are the fields that a start and a wait write.
var ofARun = []string{
	"Process", "ProcessState", "startCalled", "createdByStack",
	"childIOFiles", "parentIOPipes", "goroutine", "goroutineErr", "ctxResult",
}

// configuration are the others, also those of an os/exec that this package does not know.
var configuration = func() (fields []reflect.StructField) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[exec.Cmd]()) {
		if !slices.Contains(ofARun, f.Name) {
			fields = append(fields, f)
		}
	}
	return fields
}()

// Copy returns a command that is configured like cmd, context included, and has
// not been started. It reads no field that a start or a wait of cmd may be writing,
// save Err.
func Copy(cmd *exec.Cmd) *exec.Cmd {
	d := &exec.Cmd{Path: cmd.Path} // a nil cmd panics here
	for _, f := range configuration {
		to := reflect.NewAt(f.Type, unsafe.Add(unsafe.Pointer(d), f.Offset)).Elem()
		to.Set(reflect.NewAt(f.Type, unsafe.Add(unsafe.Pointer(cmd), f.Offset)).Elem())
	}
	return d
}
