//go:build hosts && linux

package hosts

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// modules is where scripts/hosts/install.sh has put the hosts, and node the folder of the Node that they run on.
var (
	modules = abs("../../scripts/hosts/node_modules")
	node    = filepath.Join(modules, ".bin")
)

func abs(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		panic(err) // without a working directory nothing here works
	}
	return path
}

// arch is what npm calls this processor.
func arch() string {
	if runtime.GOARCH == "amd64" {
		return "x64"
	}
	return runtime.GOARCH
}

// host is a real one. configure writes its configuration with these servers; remote is one as a person has it who does not know
// us. setup makes of that what it makes of every other. run is the host with one task for the model.
type host struct {
	name      string
	setup     string // what setup calls it
	npm       string // the package that says its version
	configure func(p *place, servers object)
	remote    func(server string) object
	token     bool // it has a token command
	run       func(ctx context.Context, p *place, m *model) *exec.Cmd
}

// wire gives the host a remote server, and has setup put the bridge, or with "--token-command" that, in its place.
func (h host) wire(p *place, flags ...string) {
	h.configure(p, object{"demo": h.remote(p.world.ServerURL())})
	p.setup(h.setup, flags...)
}

func (h host) version() string {
	data, err := os.ReadFile(filepath.Join(modules, h.npm, "package.json"))
	var v struct{ Version string }
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		return "not installed: " + err.Error()
	}
	return v.Version
}

// hosts are those that speak to a model. Codex, which needs none, is driven by codex_test.go.
var hosts = []host{
	{
		name: "Copilot CLI", setup: "copilot", npm: "@github/copilot",
		remote: func(server string) object { return object{"type": "http", "url": server, "tools": []string{"*"}} },
		configure: func(p *place, servers object) {
			p.writeJSON(".copilot/mcp-config.json", object{"mcpServers": servers})
		},
		run: func(ctx context.Context, p *place, m *model) *exec.Cmd {
			return p.command(ctx, []string{"COPILOT_OFFLINE=true", "COPILOT_PROVIDER_BASE_URL=" + m.URL + "/v1", "COPILOT_MODEL=gpt-4.1", "COPILOT_PROVIDER_API_KEY=x"},
				filepath.Join(node, "node"), filepath.Join(modules, "@github/copilot/npm-loader.js"), "-p", "go", "--allow-all-tools", "--log-level", "debug", "--log-dir", p.path("log"))
		},
	},
	{
		name: "Claude Code", setup: "claude-code", npm: "@anthropic-ai/claude-code-linux-" + arch(), token: true,
		remote: func(server string) object { return object{"type": "http", "url": server} },
		configure: func(p *place, servers object) {
			p.writeJSON(".claude.json", object{"hasCompletedOnboarding": true, "mcpServers": servers})
		},
		run: func(ctx context.Context, p *place, m *model) *exec.Cmd {
			return p.command(ctx, []string{"ANTHROPIC_BASE_URL=" + m.URL, "ANTHROPIC_API_KEY=x", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "DISABLE_AUTOUPDATER=1", "ENABLE_TOOL_SEARCH=false"},
				filepath.Join(modules, "@anthropic-ai/claude-code-linux-"+arch(), "claude"), "-p", "go", "--allowedTools", "mcp__demo", "--debug")
		},
	},
	{
		name: "Gemini CLI", setup: "gemini", npm: "@google/gemini-cli",
		remote: func(server string) object { return object{"httpUrl": server, "trust": true} },
		configure: func(p *place, servers object) {
			p.writeJSON(".gemini/settings.json", object{"security": object{"auth": object{"selectedType": "gemini-api-key"}}, "mcpServers": servers})
		},
		run: func(ctx context.Context, p *place, m *model) *exec.Cmd {
			return p.command(ctx, []string{"GEMINI_API_KEY=x", "GOOGLE_GEMINI_BASE_URL=" + m.URL},
				filepath.Join(node, "node"), filepath.Join(modules, "@google/gemini-cli/bundle/gemini.js"), "-m", "gemini-2.5-flash", "-p", "go", "-y", "--skip-trust")
		},
	},
	{
		name: "OpenCode", setup: "opencode", npm: "opencode-linux-" + arch(),
		remote:    func(server string) object { return object{"type": "remote", "url": server, "timeout": 30000} },
		configure: func(p *place, servers object) { p.writeJSON(".config/opencode/opencode.json", object{"mcp": servers}) },
		run: func(ctx context.Context, p *place, m *model) *exec.Cmd {
			provider := object{"npm": "@ai-sdk/openai-compatible", "options": object{"baseURL": m.URL + "/v1", "apiKey": "x"}, "models": object{"m": object{}}}
			p.writeJSON("opencode-model.json", object{"provider": object{"fake": provider}, "permission": "allow", "autoupdate": false})
			return p.command(ctx, []string{"OPENCODE_DISABLE_MODELS_FETCH=1", "OPENCODE_CONFIG=" + p.path("opencode-model.json")}, opencode(), "run", "go", "--model", "fake/m")
		},
	},
}

// opencode is the program that npm has installed for this processor.
func opencode() string {
	return filepath.Join(modules, "opencode-linux-"+arch(), "bin", "opencode")
}

func (p *place) writeJSON(name string, v any) {
	p.t.Helper()
	p.write(name, string(encode(v)))
}
