// Package pluginhost runs greeters as plugins.
package pluginhost

import (
	"errors"
	"io"
	"net/rpc"
	"os"
	"os/exec"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
)

// Handshake is what host and plugin agree on.
var Handshake = plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "GREETER", MagicCookieValue: "hello"}

// Greeter is what plugins implement.
type Greeter interface {
	Greet(name string) (string, error)
}

// GreeterPlugin serves a Greeter over net/rpc.
type GreeterPlugin struct{ Impl Greeter }

func (p *GreeterPlugin) Server(*plugin.MuxBroker) (any, error) { return &server{p.Impl}, nil }

func (p *GreeterPlugin) Client(_ *plugin.MuxBroker, c *rpc.Client) (any, error) {
	return &client{c}, nil
}

type server struct{ impl Greeter }

func (s *server) Greet(name string, reply *string) (err error) {
	*reply, err = s.impl.Greet(name)
	return err
}

type client struct{ c *rpc.Client }

func (c *client) Greet(name string) (reply string, err error) {
	err = c.c.Call("Plugin.Greet", name, &reply)
	return reply, err
}

// Host is a running plugin.
type Host struct {
	Greeter
	cmd    *exec.Cmd
	client *plugin.Client
}

// config returns a configuration whose command is filled in later.
func config(stderr io.Writer) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig: Handshake,
		Plugins:         plugin.PluginSet{"greeter": &GreeterPlugin{}},
		Logger:          hclog.NewNullLogger(),
		Stderr:          stderr,
	}
}

func command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "GREETER_PLUGIN=1")
	return cmd
}

// Launch starts the plugin at path.
func Launch(path string, args ...string) (*Host, error) {
	cfg := config(io.Discard)
	cfg.Cmd = command(path, args...)
	if cfg.Cmd.Path == "" {
		return nil, errors.New("no path")
	}
	h := &Host{cmd: cfg.Cmd, client: plugin.NewClient(cfg)}
	rpcClient, err := h.client.Client()
	if err != nil {
		h.Close()
		return nil, err
	}
	raw, err := rpcClient.Dispense("greeter")
	if err != nil {
		h.Close()
		return nil, err
	}
	h.Greeter = raw.(Greeter)
	return h, nil
}

// LaunchConfigured is Launch with the command in the literal.
func LaunchConfigured(path string) (*plugin.Client, error) {
	c := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: Handshake,
		Plugins:         plugin.PluginSet{"greeter": &GreeterPlugin{}},
		Cmd:             command(path),
		Logger:          hclog.NewNullLogger(),
	})
	_, err := c.Start()
	return c, err
}

// Pid is the plugin's process id.
func (h *Host) Pid() int { return h.cmd.Process.Pid }

// Close ends the plugin.
func (h *Host) Close() { h.client.Kill() }

// Exited reports whether it has ended.
func (h *Host) Exited() bool { return h.client.Exited() }
