package host

// openCode is OpenCode, whose second version has the servers one level deeper.
var openCode = Host{
	Name: "opencode", Title: "OpenCode", Programs: []string{"opencode"}, Project: "opencode.json",
	Files: under(".config/opencode/opencode.json", ".config/opencode/opencode.jsonc"),
	Syntax: jsonc{
		at: [][]string{{"mcp"}, {"mcp", "servers"}}, url: []string{"url"}, kind: "local", oneList: true,
	},
}
