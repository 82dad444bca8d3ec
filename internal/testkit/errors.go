package testkit

import (
	"context"
	"errors"
	"fmt"
	"go/token"
	"io"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
)

// sentinels are the errors that programs ask for.
var sentinels = map[string]error{
	"ErrDot": exec.ErrDot, "ErrNotFound": exec.ErrNotFound, "ErrWaitDelay": exec.ErrWaitDelay,
	"Canceled": context.Canceled, "DeadlineExceeded": context.DeadlineExceeded,
	"ErrProcessDone": os.ErrProcessDone, "ErrNotExist": os.ErrNotExist, "ErrPermission": os.ErrPermission,
	"ErrClosed": os.ErrClosed, "ErrShortWrite": io.ErrShortWrite,
}

// Describe renders the text of an error, its types, what it is and what an
// ExitError says.
func Describe(err error) string {
	if err == nil {
		return "nil"
	}
	s := []string{fmt.Sprintf("%q", err)}
	for e := err; e != nil; e = errors.Unwrap(e) {
		s = append(s, typeName(e))
	}
	is := []string{}
	for name, target := range sentinels {
		if errors.Is(err, target) {
			is = append(is, name)
		}
	}
	slices.Sort(is)
	s = append(s, is...)
	if exit, ok := err.(*exec.ExitError); ok {
		s = append(s, fmt.Sprintf("code %d stderr nil %t %q", exit.ExitCode(), exit.Stderr == nil, exit.Stderr))
	}
	return strings.Join(s, " ")
}

// typeName names a type that programs can name. The others are alike to them.
func typeName(err error) string {
	t := reflect.TypeOf(err)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !token.IsExported(t.Name()) {
		return "(unexported)"
	}
	return fmt.Sprintf("%T", err)
}

// ErrBroken is what goes wrong because a test wants it to.
var ErrBroken = errors.New("broken on purpose")

// ErrCause is why the contexts of tests end; Ended is one that has ended.
var (
	ErrCause = errors.New("the cause")
	Ended    = func() context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(ErrCause)
		return ctx
	}()
)
