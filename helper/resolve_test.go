package helper

import (
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// A resource is that of one known server, and of another issuer's server never by what its scopes are called.
func TestServerOf(t *testing.T) {
	records := newRig(t).Records
	put := func(url, resource, issuer string, scopes ...string) {
		t.Helper()
		err := records.PutServer(state.Server{URL: url, Resource: resource, Issuer: issuer, Accounts: []state.Account{{SignIn: "x", Scopes: scopes}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	const entra = "https://login.microsoftonline.com/contoso.com/v2.0"
	put("https://a.example/mcp", "https://a.example/mcp", entra, "api://a/.default")
	put("https://b.example/mcp", "https://b.example", "https://id.example", "https://management.azure.com/.default", "plain")
	put("https://c.example/one", "https://c.example/one", entra, "api://c/read", "openid")
	put("https://c.example/two", "https://c.example/two", entra, "api://c/read")
	for resource, want := range map[string]string{
		"https://a.example/mcp": "https://a.example/mcp", "HTTPS://A.example:443/mcp": "https://a.example/mcp", "api://a": "https://a.example/mcp",
		"https://b.example": "https://b.example/mcp", "https://b.example/mcp": "https://b.example/mcp", "https://c.example/two": "https://c.example/two",
	} {
		if got, err := ServerOf(records, resource); err != nil || got != want {
			t.Errorf("%s: %q, %v", resource, got, err)
		}
	}
	for resource, want := range map[string]credential.Kind{
		"https://management.azure.com": credential.NotFound, "api://a/": credential.NotFound, "api://A": credential.NotFound, "https://a.example": credential.NotFound,
		"": credential.NotFound, "https://graph.microsoft.com": credential.NotFound, "api://c": credential.Usage,
	} {
		if got, err := ServerOf(records, resource); credential.KindOf(err) != want || got != "" {
			t.Errorf("%q: %q, %v", resource, got, err)
		}
	}
}
