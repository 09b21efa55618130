package host

import "path/filepath"

// goose is Goose.
var goose = Host{
	Name: "goose", Title: "Goose", Programs: []string{"goose"},
	Files: func(p Place) []string {
		if p.OS == "windows" {
			return []string{filepath.Join(p.appData(), "Block", "goose", "config", "config.yaml")}
		}
		return under(".config/goose/config.yaml")(p)
	},
	Syntax: gooseYAML{},
}
