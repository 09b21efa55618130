package host

import "path/filepath"

// zed is the Zed editor.
var zed = Host{
	Name: "zed", Title: "Zed", Programs: []string{"zed", "zeditor"}, Project: ".zed/settings.json",
	Files: func(p Place) []string {
		if p.OS == "windows" {
			return []string{filepath.Join(p.appData(), "Zed", "settings.json")}
		}
		return under(".config/zed/settings.json")(p)
	},
	Syntax: jsonc{at: [][]string{{"context_servers"}}, url: []string{"url"}},
}
