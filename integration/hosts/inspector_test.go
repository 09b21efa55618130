//go:build hosts && linux

package hosts

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// inspect runs the MCP Inspector, which connects, does one thing and ends.
func inspect(t *testing.T, p *place, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), total)
	defer cancel()
	modules := abs("../../scripts/conformance/node_modules")
	program, err := filepath.EvalSymlinks(filepath.Join(modules, ".bin", "mcp-inspector"))
	if err != nil {
		t.Fatal(err)
	}
	args = append(append([]string{program, "--cli"}, args...), "--", bin("mcp-credential"))
	c := p.command(ctx, nil, filepath.Join(modules, ".bin", "node"), append(args, "bridge", p.world.ServerURL())...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Logf("the Inspector ended with %v", err)
	}
	return string(out)
}

func (p *place) inspectEcho(text string) {
	p.t.Helper()
	if said := inspect(p.t, p, "--method", "tools/call", "--tool-name", "echo", "--tool-arg", "text="+text); !strings.Contains(said, text) || strings.Contains(said, "isError") {
		p.t.Errorf("echo: %s", said)
	}
}

// Each call of the Inspector is a host of its own: what others do in one session it does in several.
func TestInspector(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if said := inspect(t, p, "--method", "tools/list"); !strings.Contains(said, "sign_in_to_demo") {
		t.Errorf("with nobody signed in the tools are: %s", said)
	}
	p.login()
	for call := range 4 {
		spaced(call + 1)
		p.inspectEcho("echo")
	}
	p.restart()
	p.inspectEcho("after the restart") // by a bridge that has no connection yet
	p.world.RevokeAll()
	spaced(2)
	if said := inspect(t, p, "--method", "tools/call", "--tool-name", "echo", "--tool-arg", "text=x"); !strings.Contains(said, "mcp-credential login") {
		t.Errorf("without a sign-in: %s", said)
	}
	p.login()
	p.inspectEcho("signed in again")
}
