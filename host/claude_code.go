package host

import "strings"

// claudeCode is Claude Code. Its file has servers of the user, and for each project.
var claudeCode = Host{
	Name: "claude-code", Title: "Claude Code", Programs: []string{"claude"}, Project: ".mcp.json", Token: true,
	Files: under(".claude.json"),
	Syntax: jsonc{
		at: [][]string{{"mcpServers"}, {"projects", "*", "mcpServers"}}, url: []string{"url"}, kind: "stdio",
		token: func(e Entry, s Server) []field {
			return []field{{"type", "http"}, {"url", s.URL}, {"headersHelper", shellWord(e.Program) + " get"}}
		},
	},
}

// shellWord is a path as one word of sh.
func shellWord(path string) string {
	if strings.ContainsAny(path, " '\"$`\\&;()<>|*?[]#~!") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
