package config

import (
	"os"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// TestHostsExamples parses the TOML of docs/hosts.md. It is for other programs, but this package alone knows TOML.
func TestHostsExamples(t *testing.T) {
	data, err := os.ReadFile("../docs/hosts.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "```toml\n")[1:]
	if len(blocks) < 2 {
		t.Fatalf("%d TOML blocks", len(blocks))
	}
	for _, b := range blocks {
		text, _, _ := strings.Cut(b, "\n```")
		var parsed struct {
			Servers map[string]map[string]any `toml:"mcp_servers"`
		}
		if err := toml.Unmarshal([]byte(text), &parsed); err != nil || len(parsed.Servers) != 1 {
			t.Errorf("%v in\n%s", err, text)
		}
	}
}
