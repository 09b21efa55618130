package host

import "path/filepath"

// claudeDesktop is Claude Desktop. Its file has servers on this machine alone: what is replaced there is mcp-remote.
var claudeDesktop = Host{
	Name: "claude-desktop", Title: "Claude Desktop",
	Files: func(p Place) []string {
		return []string{filepath.Join(p.appData(), "Claude", "claude_desktop_config.json")}
	},
	Syntax: jsonc{at: [][]string{{"mcpServers"}}, url: []string{"url"}},
}
