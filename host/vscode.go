package host

import "path/filepath"

// vscode is Visual Studio Code, whose profiles have a file each.
var vscode = Host{
	Name: "vscode", Title: "VS Code", Programs: []string{"code"}, Project: ".vscode/mcp.json",
	Files: func(p Place) []string {
		user := filepath.Join(p.appData(), "Code", "User")
		return append([]string{filepath.Join(user, "mcp.json")}, p.Glob(filepath.Join(user, "profiles", "*", "mcp.json"))...)
	},
	Syntax: jsonc{at: [][]string{{"servers"}}, url: []string{"url"}, kind: "stdio"},
}
