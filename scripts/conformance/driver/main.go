// Command driver is what the official conformance suite calls as the client under test: a host that starts
// "mcp-credential bridge URL", speaks stdio MCP to it as the scenario asks, and ends. Judging is left to the suite.
//
//	driver URL
//
// The scenario, its context and the revision come in MCP_CONFORMANCE_SCENARIO, MCP_CONFORMANCE_CONTEXT and
// MCP_CONFORMANCE_PROTOCOL_VERSION. Beside the driver lie mcp-credential, mcp-credential-core and fakebrowser, the person
// who agrees to everything. DRIVER_LOG names a folder for what the bridge says to its log. DRIVER_PEER puts another
// bridge under the suite, see peer.go.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcphost"
)

func main() {
	if err := run(os.Args[1:], os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		os.Exit(1)
	}
}

// total ends a scenario; the suite's own limit is not shorter.
const total = 25 * time.Second

func run(args []string, getenv func(string) string) error {
	if len(args) != 1 {
		return errors.New("it takes one argument, the URL of the server")
	}
	s := scenario{name: getenv("MCP_CONFORMANCE_SCENARIO"), version: getenv("MCP_CONFORMANCE_PROTOCOL_VERSION")}
	s.version = cmp.Or(s.version, stateful)
	if text := getenv("MCP_CONFORMANCE_CONTEXT"); text != "" {
		if err := json.Unmarshal([]byte(text), &s.context); err != nil {
			return fmt.Errorf("MCP_CONFORMANCE_CONTEXT: %w", err)
		}
	}
	home, err := os.MkdirTemp("", "driver")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	ctx, cancel := context.WithTimeout(context.Background(), total)
	defer cancel()
	if err := s.furnish(ctx, home, args[0]); err != nil {
		return err
	}
	start := s.bridge
	if getenv("DRIVER_PEER") != "" {
		start = s.peer
	}
	cmd, err := start(home, args[0], getenv)
	if err != nil {
		return err
	}
	s.host, err = mcphost.Start(cmd, answer)
	if err != nil {
		return err
	}
	return errors.Join(s.play(ctx), s.host.Close())
}

// bridge prepares the program under test with a home of its own.
func (s *scenario) bridge(home, server string, getenv func(string) string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	bin := filepath.Dir(self)
	argv := []string{"bridge", "--strict", "--sign-in-wait", "20s"} // the suite judges a first request that signs in
	if dir := getenv("DRIVER_LOG"); dir != "" {
		argv = append(argv, "--log-file", filepath.Join(dir, strings.ReplaceAll(s.name, "/", "-")+".log"))
	}
	if id := s.clientID(); id != "" {
		argv = append(argv, "--client-id", id)
	}
	if s.context.ClientSecret != "" && !s.machine() {
		argv = append(argv, "--client-secret-file", filepath.Join(home, "secret"))
	}
	cmd := exec.Command(filepath.Join(bin, "mcp-credential"), append(argv, server)...)
	// CI is left out: in an automated run nobody would be asked to sign in.
	cmd.Env = []string{"HOME=" + home, "PATH=" + getenv("PATH"), "MCPCRED_HOME=" + home, "MCPCRED_STORE=file",
		"MCPCRED_PASSPHRASE_FILE=" + filepath.Join(home, "passphrase"), "BROWSER=" + filepath.Join(bin, "fakebrowser")}
	return cmd, nil
}
