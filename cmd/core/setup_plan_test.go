package core

import (
	"strings"
	"testing"
)

// No secret of a configuration is shown, however its line is written.
func TestMasked(t *testing.T) {
	for _, line := range []string{
		`-      "headers": { "Authorization": "Bearer sesame" },`,
		` {"mcpServers":{"a":{"command":"/x/mcp-credential"},"b":{"env":{"API_KEY":"sesame"}}}}`,
		`-      "args": ["mcp-remote", "https://h/mcp", "--header", "Authorization: Bearer sesame"]`,
		`-      Authorization: Bearer sesame`, ` GITHUB_TOKEN = "sesame"`, `-url = "https://h/mcp?api_key=sesame"`, ` password=sesame`,
		`-      "X": "bearer sesame"`, ` export PASSPHRASE: sesame`,
	} {
		if got := string(masked([]byte("+ok\n" + line + "\n+ok\n"))); strings.Contains(got, "sesame") || strings.Count(got, "+ok\n") != 2 {
			t.Errorf("%q became %q", line, got)
		}
	}
	for _, line := range []string{`+      "command": "/home/keyser/bin/mcp-credential",`, `+      "args": ["bridge", "https://mcp.example.com/mcp"],`, `+startup_timeout_sec = 60`} {
		if got := string(masked([]byte(line))); got != line {
			t.Errorf("%q became %q", line, got)
		}
	}
}
