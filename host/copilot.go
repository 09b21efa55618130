package host

import "path/filepath"

// copilot is the GitHub Copilot CLI. COPILOT_HOME moves its folder.
var copilot = Host{
	Name: "copilot", Title: "GitHub Copilot CLI", Programs: []string{"copilot"}, Project: ".mcp.json",
	Files: func(p Place) []string {
		if dir := p.Getenv("COPILOT_HOME"); dir != "" {
			return []string{filepath.Join(dir, "mcp-config.json")}
		}
		return under(".copilot/mcp-config.json")(p)
	},
	Syntax: jsonc{at: [][]string{{"mcpServers"}}, url: []string{"url"}, kind: "local", defaults: []field{{"tools", []string{"*"}}}, callback: "http://127.0.0.1/"},
}
