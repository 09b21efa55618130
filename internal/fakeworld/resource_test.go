package fakeworld_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

func TestProtectedServer(t *testing.T) {
	a := start(t, fakeworld.Options{Paths: []string{"/mcp", "/other"}})
	token := a.signIn().text("access_token")
	for name, c := range map[string]struct {
		server, header string
		status         int
		outcome, want  string
	}{
		"no token":     {a.w.ServerURL(), "", 401, fakeworld.MCPNoToken, `scope="mcp:read mcp:write"`},
		"unknown":      {a.w.ServerURL(), "Bearer x", 401, fakeworld.MCPUnknown, `error="invalid_token"`},
		"other server": {a.w.ServerURLs()[1], "Bearer " + token, 401, fakeworld.MCPWrongResource, "/oauth-protected-resource/other"},
		"other scheme": {a.w.ServerURL(), "Basic " + token, 400, fakeworld.MCPMalformed, `error="invalid_request"`},
		"two tokens":   {a.w.ServerURL(), "Bearer " + token + ", Bearer " + token, 400, fakeworld.MCPMalformed, `error="invalid_request"`},
		"good":         {a.w.ServerURL(), "bearer " + token, 200, fakeworld.MCPOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodPost, c.server, strings.NewReader("{}"))
			if err == nil && c.header != "" {
				req.Header.Set("Authorization", c.header)
			}
			before := a.w.Stats().MCP[c.outcome]
			resp := a.do(req, err)
			challenge := resp.header.Get("WWW-Authenticate")
			if resp.status != c.status || !strings.Contains(challenge, c.want) || a.w.Stats().MCP[c.outcome] != before+1 {
				t.Errorf("got %d %q, stats %v", resp.status, challenge, a.w.Stats().MCP)
			}
		})
	}
	if resp := a.get(a.w.ServerURL() + "?access_token=" + token); resp.status != http.StatusBadRequest {
		t.Errorf("a token in the query got %d", resp.status)
	}
}

func TestProtectedServerRefusesOldTokens(t *testing.T) {
	a := start(t, fakeworld.Options{AccessTTL: time.Minute})
	token := a.signIn().text("access_token")
	a.later(2 * time.Minute)
	a.wantPing(token, http.StatusUnauthorized)
	a.later(-2 * time.Minute)
	a.wantPing(token, http.StatusOK)
	a.w.ExpireAccess()
	a.wantPing(token, http.StatusUnauthorized)
	token = a.signIn().text("access_token")
	a.w.RevokeAll()
	a.wantPing(token, http.StatusUnauthorized)
}

func TestStepUp(t *testing.T) {
	a := start(t, fakeworld.Options{})
	a.w.Set(func(k *fakeworld.Behaviour) { k.RequireScopes = []string{"mcp:write"} })
	resp := a.ping(a.w.ServerURL(), a.signIn().text("access_token"))
	challenge := resp.header.Get("WWW-Authenticate")
	if resp.status != http.StatusForbidden || !strings.Contains(challenge, `error="insufficient_scope"`) || !strings.Contains(challenge, `scope="mcp:write"`) {
		t.Errorf("got %d %q", resp.status, challenge)
	}
	code := a.authorize(with(a.authorizeForm(), "scope", "mcp:read mcp:write")).Get("code")
	a.wantPing(a.post("/token", a.codeForm(code), "", "").text("access_token"), http.StatusOK)
}

func TestResourceMetadata(t *testing.T) {
	a := start(t, fakeworld.Options{})
	origin := strings.TrimSuffix(a.w.ServerURL(), "/mcp")
	doc := a.get(origin + "/.well-known/oauth-protected-resource/mcp").doc
	if doc["resource"] != a.w.ServerURL() || doc["authorization_servers"].([]any)[0] != a.w.Issuer() {
		t.Errorf("metadata say %v", doc)
	}
	if resp := a.get(origin + "/.well-known/oauth-protected-resource"); resp.status != http.StatusNotFound {
		t.Errorf("the root form answered %d", resp.status)
	}
	root := start(t, fakeworld.Options{RootOnly: true})
	origin = strings.TrimSuffix(root.w.ServerURL(), "/mcp")
	if doc := root.get(origin + "/.well-known/oauth-protected-resource").doc; doc["resource"] != origin {
		t.Errorf("RootOnly says %v", doc)
	}
	code := root.authorize(with(root.authorizeForm(), "resource", origin)).Get("code")
	root.wantPing(root.post("/token", with(root.codeForm(code), "resource", origin), "", "").text("access_token"), http.StatusOK)
}

func TestMetadata(t *testing.T) {
	a := start(t, fakeworld.Options{IssuerPath: "/tenant"})
	base := strings.TrimSuffix(a.w.Issuer(), "/tenant")
	for _, u := range []string{base + "/.well-known/oauth-authorization-server/tenant",
		base + "/.well-known/openid-configuration/tenant", a.w.Issuer() + "/.well-known/openid-configuration"} {
		if doc := a.get(u).doc; doc["issuer"] != a.w.Issuer() || doc["authorization_response_iss_parameter_supported"] != true {
			t.Errorf("%s says %v", u, doc)
		}
	}
	a.w.Set(func(k *fakeworld.Behaviour) {
		k.Metadata = map[string]any{"issuer": "https://example.com", "code_challenge_methods_supported": nil, "token_endpoint": "javascript:x"}
	})
	doc := a.get(base + "/.well-known/oauth-authorization-server/tenant").doc
	if doc["issuer"] != "https://example.com" || doc["code_challenge_methods_supported"] != nil || doc["token_endpoint"] != "javascript:x" {
		t.Errorf("a liar says %v", doc)
	}
	if keys := a.get(a.w.Issuer() + "/jwks").doc["keys"].([]any); len(keys) != 1 {
		t.Errorf("%d keys", len(keys))
	}
}
