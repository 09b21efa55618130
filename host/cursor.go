package host

// cursor is the Cursor editor and its command line.
var cursor = Host{
	Name: "cursor", Title: "Cursor", Programs: []string{"cursor", "cursor-agent"}, Project: ".cursor/mcp.json",
	Files:  under(".cursor/mcp.json"),
	Syntax: jsonc{at: [][]string{{"mcpServers"}}, url: []string{"url"}},
}
