package discovery

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcp-credential/mcp-credential/credential"
)

// A metadata document that is accepted names only URLs that may be requested, and is accepted again as it was understood.
// What is refused is said in one line, whatever the document holds.
func FuzzIssuerMetadata(f *testing.F) {
	const issuer, place = "https://id.example.com", "https://id.example.com/.well-known/oauth-authorization-server"
	good := strings.ReplaceAll(goodAS, "ORIGIN", issuer)
	for _, seed := range []string{good, `{}`, `null`, `[]`, `{"issuer":1}`, `{"issuer":"https://id.example.com/"}`, `{"issuer":"https://evil.example"}`,
		strings.ReplaceAll(good, issuer+"/auth", "javascript:alert(1)"), strings.ReplaceAll(good, issuer+"/token", "http://127.0.0.1:1/"),
		strings.ReplaceAll(good, issuer+"/device", `https://h/\u001b[2J`), strings.ReplaceAll(good, `"S256"`, `7`), good[:len(good)-1]} {
		f.Add([]byte(seed))
	}
	is := func(named string) bool { return named == issuer }
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := readMetadata(data, place, "https://mcp.example.com/mcp", issuer, is)
		if err != nil {
			refusedInOneLine(t, err)
			return
		}
		for _, url := range []string{e.Authorization, e.Token, e.Device, e.Registration, e.Revocation} {
			if url != "" && (credential.CheckEndpoint(url, "endpoint") != nil || onLoopback(url)) {
				t.Fatalf("accepted the endpoint %q", url)
			}
		}
		var m serverMeta
		if err := decode(data, &m); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		e2, err := readMetadata(again, place, "https://mcp.example.com/mcp", issuer, is)
		if err != nil || e2.Issuer != e.Issuer || e2.Token != e.Token || e2.Authorization != e.Authorization || !slices.Equal(e2.PKCE, e.PKCE) {
			t.Fatalf("%+v became %+v, %v", e, e2, err)
		}
	})
}

// A server can publish what it likes: what is accepted is about that server.
func FuzzResourceMetadata(f *testing.F) {
	const server = "https://mcp.example.com/team/mcp"
	good := strings.ReplaceAll(goodPRM, "ORIGIN/mcp", server)
	for _, seed := range []string{good, `{}`, `null`, `{"resource":"https://mcp.example.com"}`, `{"resource":"https://mcp.example.com/other","authorization_servers":["https://i"]}`,
		`{"resource":"https://mcp.example.com/team/mcp","authorization_servers":[]}`, `{"resource":"https://mcp.example.com.evil/","authorization_servers":["x"]}`,
		`{"resource":["https://mcp.example.com/team/mcp"],"authorization_servers":"x"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var meta oauthex.ProtectedResourceMetadata
		if err := (Finder{}).readResource(data, server, &meta); err != nil {
			refusedInOneLine(t, err)
			return
		}
		if credential.Origin(meta.Resource) != credential.Origin(server) || len(meta.AuthorizationServers) == 0 {
			t.Fatalf("accepted %+v", meta)
		}
	})
}

func refusedInOneLine(t *testing.T, err error) {
	t.Helper()
	if strings.ContainsAny(err.Error(), "\n\r\x00\x1b") || credential.KindOf(err) == credential.Internal {
		t.Fatalf("error %q of kind %v", err, credential.KindOf(err))
	}
}
