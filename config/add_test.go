package config

import (
	"maps"
	"testing"
)

// A server is added at the end, in the line ends of the file; what is there stays as it is.
func TestAdd(t *testing.T) {
	s := Server{ClientID: "c", Scopes: []string{"a", "b"}}
	const url, table = "https://h/mcp", "[servers.\"https://h/mcp\"]\nclient_id = \"c\"\nscopes = [\"a\", \"b\"]\n"
	for before, want := range map[string]string{
		"":                                     table,
		"notify = true":                        "notify = true\n\n" + table,
		"notify = true # yes\r\n":              "notify = true # yes\r\n\r\n[servers.\"https://h/mcp\"]\r\nclient_id = \"c\"\r\nscopes = [\"a\", \"b\"]\r\n",
		"[servers.\"https://other/mcp\"]\n#\n": "[servers.\"https://other/mcp\"]\n#\n\n" + table,
	} {
		got, ok, err := Add([]byte(before), url, s)
		if err != nil || !ok || string(got) != want {
			t.Errorf("%q became %q: %v %v", before, got, ok, err)
		}
	}
	known := "[servers.\"https://h/mcp\"]\nname = \"x\"\n"
	if got, ok, err := Add([]byte(known), url, s); err != nil || ok || string(got) != known {
		t.Errorf("a known server: %q %v %v", got, ok, err)
	}
	full := Server{RedirectURI: "http://127.0.0.1:3118/", MetadataURL: "https://id/meta", Headers: map[string]string{"X-B": "two \"words\"", "X-A": "ü"}}
	got, _, err := Add(nil, url, full)
	c, perr := Parse(got)
	back := c.Servers[url]
	if err != nil || perr != nil || back.RedirectURI != full.RedirectURI || back.MetadataURL != full.MetadataURL || !maps.Equal(back.Headers, full.Headers) {
		t.Errorf("%s: %v %v", got, err, perr)
	}
	if _, _, err := Add([]byte("broken"), url, s); err == nil {
		t.Error("a broken file was changed")
	}
}
