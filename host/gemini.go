package host

// gemini is the Gemini CLI: httpUrl is a server of Streamable HTTP, url one of HTTP+SSE or either.
var gemini = Host{
	Name: "gemini", Title: "Gemini CLI", Programs: []string{"gemini"}, Project: ".gemini/settings.json",
	Files:  under(".gemini/settings.json"),
	Syntax: jsonc{at: [][]string{{"mcpServers"}}, url: []string{"httpUrl", "url"}},
}
