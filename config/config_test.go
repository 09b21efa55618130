package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestParse(t *testing.T) {
	c, err := Parse([]byte(`
prompt = "never"
wait = "3s"

[servers."HTTPS://MCP.Example:443/mcp"]
client_id = "mine"
scopes = ["read", "write"]
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Servers["https://mcp.example/mcp"]; got.ClientID != "mine" || len(got.Scopes) != 2 {
		t.Errorf("servers are %+v, want the URL in its canonical form", c.Servers)
	}
	if d, err := c.WaitTime(); err != nil || d.String() != "3s" || c.Prompt != "never" {
		t.Errorf("%v %v %q", d, err, c.Prompt)
	}
}

func TestFaultsAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"promt = \"once\"":                                   `line 1: unknown setting "promt"`,
		"\n\n[servers.\"https://h/\"]\nclient = 1\n":         "line 4: unknown setting",
		"prompt = \"often\"":                                 "prompt is",
		"prompt = ":                                          "line 1",
		"wait = \"soon\"":                                    "wait is",
		"wait = \"-3s\"":                                     "wait is",
		"[servers.\"http://elsewhere.example\"]\n":           "http on a host",
		"[servers.\"https://h/\"]\nscopes = [\"two words\"]": "not a scope",
		"[servers.\"https://h/\"]\nissuer = \"javascript:alert(1)\"": "issuer",
		"[servers.\"https://h/\"]\nprompt = \"always\"":              "prompt is",
		"wait = 3": "line 1",
		"[servers.\"https://h/\"]\nheaders = { Authorization = \"Bearer x\" }":                         "Authorization is a secret",
		"[servers.\"https://h/\"]\nheaders = { \"a b\" = \"x\" }":                                      "is not a header",
		"[servers.\"https://h/\"]\nheaders = { X = \"a\\nb\" }":                                        "is not a header",
		"[servers.\"https://h/\"]\nidentity_provider = \"http://id.example\"":                          "identity_provider",
		"[servers.\"https://h/\"]\nidentity_provider = \"https://id.example\"\nidentity = \"managed\"": "not both",
		"[servers.\"https://h/\"]\nclient_key_algorithm = \"HS256\"":                                   "client_key_algorithm is",
		"[servers.\"https://h/\"]\nredirect_uri = \"https://evil.example/\"":                           "redirect_uri: the redirect_uri is not one of this machine",
		"[servers.\"https://h/\"]\nmetadata_url = \"http://evil.example/\"":                            "metadata_url",
		"[servers.\"https://h/\"]\ntoken_endpoint_auth_method = \"tls_client_auth\"":                   "token_endpoint_auth_method is",
		"[servers.\"https://h/\"]\nauthorization_params = { state = \"x\" }":                           `"state" cannot be set`,
		"[servers.\"https://h/\"]\nauthorization_params = { a = \"b\", request_uri = \"urn:x\" }":      `"request_uri" cannot be set`,
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: more than one line: %v", text, err)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	if c, err := Load(path); err != nil || len(c.Servers) != 0 {
		t.Fatalf("no file: %+v %v", c, err)
	}
	if err := os.WriteFile(path, []byte("promt=1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); credential.KindOf(err) != credential.BadInput || !strings.Contains(err.Error(), path) {
		t.Errorf("%v, want an error of the input that names the file", err)
	}
	if err := os.WriteFile(path, []byte("\xef\xbb\xbfprompt = \"never\"\r\n"), 0o600); err != nil { // as Windows PowerShell 5.1 does
		t.Fatal(err)
	}
	if c, err := Load(path); err != nil || c.Prompt != "never" {
		t.Errorf("with a byte order mark: %+v %v", c, err)
	}
	if _, err := Load(filepath.Dir(path)); credential.KindOf(err) != credential.BadInput {
		t.Errorf("a folder: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("prompt = \"once\"\n[servers.\"https://h/mcp\"]\nscopes=[\"a\"]\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse([]byte(text))
		if err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
		for url := range c.Servers {
			if _, perr := credential.ParseServerURL(url); err == nil && perr != nil {
				t.Errorf("accepted server %q", url)
			}
		}
	})
}
