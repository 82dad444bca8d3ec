package tui

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
)

func run(t *testing.T, m Model, keys string) Model {
	t.Helper()
	var out bytes.Buffer
	p := tea.NewProgram(m, tea.WithInput(strings.NewReader(keys)), tea.WithOutput(&out), tea.WithoutSignals())
	timer := time.AfterFunc(20*time.Second, p.Kill)
	defer timer.Stop()
	end, err := p.Run()
	if err != nil {
		t.Fatal(err)
	}
	return end.(Model)
}

func TestEditor(t *testing.T) {
	dir := t.TempDir()
	editor := filepath.Join(dir, "editor")
	if err := os.WriteFile(editor, []byte("#!/bin/sh\necho edited >> $1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	note := filepath.Join(dir, "note")
	m := run(t, Model{Path: note, Editor: editor}, "e")
	if m.Err != nil || m.Edited != 1 {
		t.Errorf("%+v", m)
	}
	if data, _ := os.ReadFile(note); string(data) != "edited\n" {
		t.Errorf("note is %q", data)
	}
}

func TestEditorFails(t *testing.T) {
	m := run(t, Model{Path: "x", Editor: "false"}, "e")
	if ee, ok := m.Err.(*exec.ExitError); !ok || ee.ExitCode() != 1 {
		t.Errorf("%+v", m)
	}
}

func TestQuit(t *testing.T) {
	if m := run(t, Model{}, "q"); !m.quit {
		t.Errorf("%+v", m)
	}
}
