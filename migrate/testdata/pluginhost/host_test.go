package pluginhost

import (
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/hashicorp/go-plugin"
)

type polite struct{}

func (polite) Greet(name string) (string, error) { return "good day, " + name, nil }

func TestMain(m *testing.M) {
	if os.Getenv("GREETER_PLUGIN") != "" {
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig: Handshake,
			Plugins:         plugin.PluginSet{"greeter": &GreeterPlugin{Impl: polite{}}},
		})
		return
	}
	os.Exit(m.Run())
}

func TestGreet(t *testing.T) {
	h, err := Launch(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	got, err := h.Greet("Ada")
	if err != nil || got != "good day, Ada" {
		t.Errorf("%q, %v", got, err)
	}
	if h.Pid() == 0 {
		t.Error("the plugin started another command")
	}
	h.Close()
	if !h.Exited() {
		t.Error("still there")
	}
}

func TestLaunchConfigured(t *testing.T) {
	c, err := LaunchConfigured(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	c.Kill()
}

func TestConfigIsReused(t *testing.T) {
	cfg := config(io.Discard)
	var cmd *exec.Cmd
	if cfg.Cmd != cmd {
		t.Error("the command is filled in later")
	}
	cfg.Cmd = exec.Command("sh", "-c", "exit 4")
	err := cfg.Cmd.Run()
	if ee, ok := err.(*exec.ExitError); !ok || ee.ExitCode() != 4 {
		t.Error(err)
	}
}
