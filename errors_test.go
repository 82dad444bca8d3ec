package xexec_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"example.com/xexec/internal/testkit"
	"example.com/xexec/internal/testkit/xtest"
)

// uncomparable is an error whose comparison panics.
type uncomparable []string

func (u uncomparable) Error() string { return strings.Join(u, " ") }

func TestCauseThatCannotBeCompared(t *testing.T) {
	testkit.Deadline(t, testkit.Stuck)
	ctx, cancel := context.WithCancelCause(t.Context())
	c := xtest.Helper(t, "serve", "0")
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.StartContext(ctx); err != nil {
		t.Fatal(err)
	}
	cancel(uncomparable{"not", "comparable"})
	var u uncomparable
	if err := c.Wait(); errors.As(err, &u) || !strings.Contains(err.Error(), "not comparable") {
		t.Errorf("Wait: %v", err)
	}
	if err := xtest.Helper(t, "exit", "0").RunContext(ctx); errors.As(err, &u) || !strings.Contains(err.Error(), "not comparable") {
		t.Errorf("RunContext with an ended context: %v", err)
	}
}
