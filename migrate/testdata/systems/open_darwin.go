package systems

import osexec "os/exec"

func opener(target string) *osexec.Cmd { return osexec.Command("open", target) }
