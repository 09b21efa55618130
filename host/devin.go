package host

import "path/filepath"

// devin is Devin Desktop, which was Windsurf until June 2026.
var devin = Host{
	Name: "devin", Title: "Devin Desktop (Windsurf)", Programs: []string{"devin", "windsurf"},
	Files: func(p Place) []string {
		dir := filepath.Join(p.Home, ".config")
		if p.OS == "windows" {
			dir = p.appData()
		}
		return append([]string{filepath.Join(dir, "devin", "mcp_config.json")}, p.Glob(filepath.Join(p.Home, ".codeium", "windsurf", "mcp_config.json"))...)
	},
	Syntax: jsonc{at: [][]string{{"mcpServers"}}, url: []string{"serverUrl", "url"}},
}
