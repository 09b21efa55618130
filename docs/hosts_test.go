package docs_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// TestHostBlocks parses every JSON block of hosts.md, and wants each block to call one of our commands for the one server
// that the page speaks of. Its TOML is parsed where TOML is, in config.
func TestHostBlocks(t *testing.T) {
	const server = "https://mcp.example.com/mcp"
	blocks := regexp.MustCompile("(?s)```(json|toml|yaml)\n(.*?)\n```").FindAllStringSubmatch(read(t, "hosts.md"), -1)
	if len(blocks) < 12 {
		t.Fatalf("only %d blocks", len(blocks))
	}
	for _, b := range blocks {
		kind, text := b[1], b[2]
		if kind == "json" && !json.Valid([]byte(text)) {
			t.Errorf("this is no JSON:\n%s", text)
		}
		bridge := strings.Contains(text, `"bridge", "`+server+`"]`)
		get := strings.Contains(text, "mcp-credential get") && strings.Contains(text, server)
		if !strings.Contains(text, "mcp-credential") || bridge == get {
			t.Errorf("this calls neither the bridge nor get:\n%s", text)
		}
	}
}

// TestEveryHostHasItsLines finds a section with a block for each row of the table, and nothing else.
func TestEveryHostHasItsLines(t *testing.T) {
	text := read(t, "hosts.md")
	hosts := regexp.MustCompile(`(?m)^\| \[([^\]]+)\]\(#`).FindAllStringSubmatch(text, -1)
	if len(hosts) < 10 {
		t.Fatalf("only %d hosts", len(hosts))
	}
	for _, h := range hosts {
		_, section, found := strings.Cut(text, "\n## "+h[1]+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if !found || !strings.Contains(section, "\n```") {
			t.Errorf("%s has no lines to paste", h[1])
		}
	}
}
