package host

import "path/filepath"

// codex is Codex. CODEX_HOME moves its folder.
var codex = Host{
	Name: "codex", Title: "Codex", Programs: []string{"codex"}, Project: ".codex/config.toml", Token: true,
	Files: func(p Place) []string {
		if dir := p.Getenv("CODEX_HOME"); dir != "" {
			return []string{filepath.Join(dir, "config.toml")}
		}
		return under(".codex/config.toml")(p)
	},
	Syntax: codexTOML{},
}
