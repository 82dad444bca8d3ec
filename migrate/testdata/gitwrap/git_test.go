package gitwrap

import (
	"context"
	"errors"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
)

type mockRunner struct{ mock.Mock }

func (m *mockRunner) Run(cmd *exec.Cmd) ([]byte, error) {
	args := m.Called(cmd)
	out, _ := args.Get(0).([]byte)
	return out, args.Error(1)
}

// starter hands out prepared commands, which testify keeps as interfaces.
type starter struct{ mock.Mock }

func (s *starter) Next() *exec.Cmd { return s.Called().Get(0).(*exec.Cmd) }

func TestGitUsesRunner(t *testing.T) {
	m := new(mockRunner)
	m.On("Run", mock.AnythingOfType("*exec.Cmd")).Return([]byte("abc\n"), nil).Once()
	r := &Repo{Dir: "/", Runner: m}
	out, err := r.Git(context.Background(), "rev-parse", "HEAD")
	require.NoError(t, err)
	assert.Equal(t, "abc", out)
	m.AssertExpectations(t)

	cmd := m.Calls[0].Arguments.Get(0).(*exec.Cmd)
	assert.Equal(t, []string{"git", "rev-parse", "HEAD"}, cmd.Args)

	m.On("Run", mock.MatchedBy(func(c *exec.Cmd) bool { return c.Dir == "/" })).Return(nil, &exec.Error{Name: "git", Err: exec.ErrNotFound})
	_, err = r.Git(context.Background(), "status")
	assert.EqualError(t, err, "git is not installed")
}

func TestStarter(t *testing.T) {
	s := new(starter)
	s.On("Next").Return(exec.Command("true"))
	require.NoError(t, s.Next().Run())
}

func TestGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	r := Open(t.TempDir())
	ctx := context.Background()
	_, err := r.Git(ctx, "init", "-q")
	require.NoError(t, err)
	name, err := r.Hash(ctx, "hello\n")
	require.NoError(t, err)
	text, err := r.Git(ctx, "cat-file", "-p", name)
	require.NoError(t, err)
	assert.Equal(t, "hello", text)

	_, err = r.Git(ctx, "cat-file", "-p", "nonsense")
	var ge *Error
	require.True(t, errors.As(err, &ge))
	assert.Equal(t, 128, ge.Code)
	assert.Contains(t, ge.Stderr, "nonsense")
}
