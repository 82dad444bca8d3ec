package systems

import "os/exec"

func opener(target string) *exec.Cmd { return exec.Command("xdg-open", target) }
