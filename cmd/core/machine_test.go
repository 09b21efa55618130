package core

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/mcp-credential/mcp-credential/config"
	"github.com/mcp-credential/mcp-credential/credential"
)

// A job of GitHub Actions gets a token of any authorization server that the configuration names: the assertion is made for that
// issuer, or for the audience that the configuration names, and goes to its token endpoint.
func TestGitHubAtAnyIssuer(t *testing.T) {
	var audience, bearer string
	var form url.Values
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/actions" {
			audience, bearer = r.URL.Query().Get("audience"), r.Header.Get("Authorization")
			_, _ = io.WriteString(rw, `{"value":"as.ser.tion"}`)
			return
		}
		_ = r.ParseForm()
		form = r.PostForm
		_, _ = io.WriteString(rw, `{"access_token":"at-1","token_type":"Bearer","expires_in":3600}`)
	}))
	defer web.Close()
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", web.URL+"/actions?api-version=2.0")
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "job")
	const server = "https://mcp.example.com/mcp"
	for want, c := range map[string]config.Server{
		web.URL:       {Identity: "github", Issuer: web.URL, ClientID: "agent", Scopes: []string{"mcp:read"}},
		"api://other": {Identity: "github", Issuer: web.URL, ClientID: "agent", Scopes: []string{"mcp:read"}, AssertionAudience: "api://other"},
	} {
		w := &wiring{config: config.Config{Servers: map[string]config.Server{server: c}}}
		m, named, err := sources{w}.machine(credential.Query{URL: server}, true)
		if err != nil || !named || m == nil {
			t.Fatalf("%v %v", named, err)
		}
		p := m.Principal()
		token, err := m.Token(t.Context(), credential.Target{Server: server, Resource: p.Resource, Scopes: p.Scopes, Endpoints: credential.Endpoints{Issuer: p.Issuer, Token: web.URL + "/token"}})
		if err != nil || token.Access.Reveal() != "at-1" || p.Issuer != web.URL || !p.Lookup {
			t.Fatalf("%+v %v", p, err)
		}
		if audience != want || bearer != "Bearer job" {
			t.Errorf("asked for the audience %q as %q", audience, bearer)
		}
		sent := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {"as.ser.tion"}, "client_id": {"agent"}, "resource": {server}, "scope": {"mcp:read"}}
		if form.Encode() != sent.Encode() {
			t.Errorf("sent %v", form)
		}
	}
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "")
	w := &wiring{config: config.Config{Servers: map[string]config.Server{server: {Identity: "github", Issuer: web.URL}}}}
	if _, _, err := (sources{w}).machine(credential.Query{URL: server}, true); credential.KindOf(err) != credential.Misconfigured {
		t.Errorf("without the service: %v", err)
	}
}
