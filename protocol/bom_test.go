package protocol

import (
	"io"
	"strings"
	"testing"
)

// Windows PowerShell 5.1 begins what it pipes with a byte order mark.
func TestByteOrderMark(t *testing.T) {
	const bom = "\xef\xbb\xbf"
	for name, decode := range map[string]func(io.Reader) (Request, error){"json": decodeJSON, "git": decodeGit} {
		text := "{\"url\":\"https://mcp.example/mcp\"}\r\n"
		if name == "git" {
			text = "protocol=https\nhost=mcp.example\npath=mcp\n"
		}
		r, err := decode(strings.NewReader(bom + text))
		if err != nil || r.Query.URL != "https://mcp.example/mcp" {
			t.Errorf("%s: %q, error %v", name, r.Query.URL, err)
		}
		if _, err := decode(strings.NewReader(bom + bom + text)); err == nil {
			t.Errorf("%s: two byte order marks are taken", name)
		}
	}
}
