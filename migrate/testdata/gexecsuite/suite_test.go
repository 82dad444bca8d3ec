package gexecsuite

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
)

var greet string

func TestMain(m *testing.M) {
	var err error
	if greet, err = gexec.Build("example.org/gexecsuite/cmd/greet"); err != nil {
		panic(err)
	}
	code := m.Run()
	gexec.CleanupBuildArtifacts()
	os.Exit(code)
}

// session starts a command and fails the test if it does not start.
func session(g *WithT, cmd *exec.Cmd) *gexec.Session {
	s, err := gexec.Start(cmd, io.Discard, io.Discard)
	g.Expect(err).NotTo(HaveOccurred())
	return s
}

func TestGreets(t *testing.T) {
	g := NewWithT(t)
	cmd := exec.Command(greet)
	cmd.Stdin = strings.NewReader("Grace\n")
	s := session(g, cmd)
	g.Eventually(s, 10*time.Second).Should(gexec.Exit(0))
	g.Expect(s.Out).To(gbytes.Say("hello, Grace"))
	g.Expect(cmd.ProcessState.Success()).To(BeTrue())
	g.Expect(s.Command).To(BeIdenticalTo(cmd))
}

func TestFails(t *testing.T) {
	g := NewWithT(t)
	s := session(g, exec.Command(greet, "-fail"))
	g.Eventually(s, 10*time.Second).Should(gexec.Exit(9))
	g.Expect(s.Err).To(gbytes.Say("told to fail"))
	var c *exec.Cmd = s.Command
	g.Expect(c.Args).To(ContainElement("-fail"))
}

func TestKilled(t *testing.T) {
	g := NewWithT(t)
	cmd := exec.Command(greet)
	in, err := cmd.StdinPipe()
	g.Expect(err).NotTo(HaveOccurred())
	defer in.Close()
	s, err := gexec.Start(cmd, nil, nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(s.Kill(), 10*time.Second).Should(gexec.Exit(137))
}
