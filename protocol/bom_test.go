package protocol

import (
	"strings"
	"testing"
)

// Windows PowerShell 5.1 begins what it pipes with a byte order mark.
func TestByteOrderMark(t *testing.T) {
	const bom = "\xef\xbb\xbf"
	for name, text := range map[string]string{
		"json": "{\"url\":\"https://mcp.example/mcp\"}\r\n", "git": "protocol=https\nhost=mcp.example\npath=mcp\n",
	} {
		for _, format := range []string{name, ""} {
			r, err := Decode(strings.NewReader(bom+text), format)
			if err != nil || r.Query.URL != "https://mcp.example/mcp" || r.Format != name {
				t.Errorf("%s as %q: %q in %s, error %v", name, format, r.Query.URL, r.Format, err)
			}
		}
		if _, err := Decode(strings.NewReader(bom+bom+bom+text), name); err == nil {
			t.Errorf("%s: three byte order marks are taken", name)
		}
	}
}
