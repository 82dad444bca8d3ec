// Package tui is a note taker that opens the user's editor.
package tui

import (
	"fmt"
	"os"
	"os/exec"

	tea "github.com/charmbracelet/bubbletea"
)

// Model is the state of the program.
type Model struct {
	Path   string
	Editor string
	Err    error
	Edited int
	quit   bool
}

type editedMsg struct{ err error }

func (m Model) Init() tea.Cmd { return nil }

// editor returns the command that edits the note.
func (m Model) editor() *exec.Cmd {
	editor := m.Editor
	if editor == "" {
		editor = os.Getenv("EDITOR")
	}
	if editor == "" {
		editor = "vi"
	}
	return exec.Command(editor, m.Path)
}

func openEditor(c *exec.Cmd) tea.Cmd {
	return tea.ExecProcess(c, func(err error) tea.Msg { return editedMsg{err} })
}

func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.KeyMsg:
		switch msg.String() {
		case "e":
			return m, openEditor(m.editor())
		case "v":
			return m, tea.ExecProcess(exec.Command("cat", m.Path), nil)
		case "q", "ctrl+c":
			m.quit = true
			return m, tea.Quit
		}
	case editedMsg:
		m.Err = msg.err
		m.Edited++
		return m, tea.Quit
	}
	return m, nil
}

func (m Model) View() string {
	if m.Err != nil {
		return fmt.Sprintf("editor: %v\n", m.Err)
	}
	return "e edit  v view  q quit\n"
}
