package fakeworld_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

func TestCodeFlow(t *testing.T) {
	a := start(t, fakeworld.Options{Scopes: []string{"openid", "mcp:read"}, RefreshTTL: time.Hour})
	back := a.authorize(with(a.authorizeForm(), "scope", "openid mcp:read"))
	if back.Get("state") != "state-1" || back.Get("iss") != a.w.Issuer() {
		t.Errorf("the redirect back has %v", back)
	}
	resp := a.post("/token", a.codeForm(back.Get("code")), "", "")
	want := map[string]any{"token_type": "Bearer", "expires_in": 3600.0, "refresh_token_expires_in": 3600.0, "scope": "openid mcp:read"}
	for k, v := range want {
		if resp.doc[k] != v {
			t.Errorf("%s is %v, want %v", k, resp.doc[k], v)
		}
	}
	if resp.header.Get("Cache-Control") != "no-store" || strings.Count(resp.text("id_token"), ".") != 2 {
		t.Errorf("got %v %s", resp.header, resp.body)
	}
	who := a.ping(a.w.ServerURL(), resp.text("access_token"))
	if who.status != http.StatusOK || who.text("subject") != "alice" || who.text("resource") != a.w.ServerURL() {
		t.Errorf("the protected server answered %d %s", who.status, who.body)
	}
}

func TestCodeIsRefused(t *testing.T) {
	a := start(t, fakeworld.Options{Paths: []string{"/mcp", "/other"}})
	for name, c := range map[string]struct {
		change []string
		status int
		code   string
	}{
		"wrong verifier":   {[]string{"code_verifier", strings.Repeat("x", 43)}, 400, "invalid_grant"},
		"no verifier":      {[]string{"code_verifier", ""}, 400, "invalid_grant"},
		"wrong redirect":   {[]string{"redirect_uri", "http://127.0.0.1:49153/callback"}, 400, "invalid_grant"},
		"no redirect":      {[]string{"redirect_uri", ""}, 400, "invalid_grant"},
		"no resource":      {[]string{"resource", ""}, 400, "invalid_target"},
		"unknown resource": {[]string{"resource", a.w.ServerURL() + "/"}, 400, "invalid_target"},
		"other resource":   {[]string{"resource", a.w.ServerURLs()[1]}, 400, "invalid_target"},
		"unknown client":   {[]string{"client_id", "nobody"}, 401, "invalid_client"},
		"needless secret":  {[]string{"client_secret", "x"}, 401, "invalid_client"},
		"unknown code":     {[]string{"code", "x"}, 400, "invalid_grant"},
		"unknown grant":    {[]string{"grant_type", "password"}, 400, "unsupported_grant_type"},
	} {
		t.Run(name, func(t *testing.T) {
			code := a.authorize(a.authorizeForm()).Get("code")
			a.wantError(a.post("/token", with(a.codeForm(code), c.change...), "", ""), c.status, c.code)
		})
	}
}

func TestCodeOfAnotherClient(t *testing.T) {
	a := start(t, fakeworld.Options{})
	form := a.codeForm(a.authorize(a.authorizeForm()).Get("code"))
	form.Del("client_id")
	a.wantError(a.post("/token", form, fakeworld.ConfidentialClient, fakeworld.ConfidentialSecret), 400, "invalid_grant")
}

func TestCodeExpires(t *testing.T) {
	a := start(t, fakeworld.Options{})
	code := a.authorize(a.authorizeForm()).Get("code")
	a.w.Set(func(k *fakeworld.Behaviour) { k.Skew = fakeworld.Duration(2 * time.Minute) })
	a.wantError(a.post("/token", a.codeForm(code), "", ""), 400, "invalid_grant")
}

func TestReusedCodeKillsItsTokens(t *testing.T) {
	a := start(t, fakeworld.Options{})
	code := a.authorize(a.authorizeForm()).Get("code")
	first := a.post("/token", a.codeForm(code), "", "")
	a.wantPing(first.text("access_token"), http.StatusOK)
	a.wantError(a.post("/token", a.codeForm(code), "", ""), 400, "invalid_grant")
	a.wantPing(first.text("access_token"), http.StatusUnauthorized)
	a.wantError(a.post("/token", a.refreshForm(first.text("refresh_token")), "", ""), 400, "invalid_grant")
	if s := a.w.Stats(); s.Reuse != 1 || s.GrantsRevoked != 1 || s.MCP[fakeworld.MCPRevoked] != 1 {
		t.Errorf("stats say %+v", s)
	}
}

func TestRotatedTokenReuseKillsTheGrant(t *testing.T) {
	a := start(t, fakeworld.Options{Rotate: true, RevokeOnReuse: true})
	first := a.signIn()
	second := a.post("/token", a.refreshForm(first.text("refresh_token")), "", "")
	if second.status != http.StatusOK || second.text("refresh_token") == first.text("refresh_token") {
		t.Fatalf("no rotation: %s", second.body)
	}
	a.wantError(a.post("/token", a.refreshForm(first.text("refresh_token")), "", ""), 400, "invalid_grant")
	a.wantError(a.post("/token", a.refreshForm(second.text("refresh_token")), "", ""), 400, "invalid_grant")
	a.wantPing(second.text("access_token"), http.StatusUnauthorized)
	a.signIn()
}

func TestReuseWithoutRevocation(t *testing.T) {
	a := start(t, fakeworld.Options{Rotate: true})
	first := a.signIn()
	second := a.post("/token", a.refreshForm(first.text("refresh_token")), "", "")
	a.wantError(a.post("/token", a.refreshForm(first.text("refresh_token")), "", ""), 400, "invalid_grant")
	if third := a.post("/token", a.refreshForm(second.text("refresh_token")), "", ""); third.status != http.StatusOK {
		t.Errorf("the newest refresh token was refused: %s", third.body)
	}
}

func TestRefreshIsRefusedAndSpendsNothing(t *testing.T) {
	a := start(t, fakeworld.Options{Rotate: true, RevokeOnReuse: true, Paths: []string{"/mcp", "/other"}})
	form := a.refreshForm(a.signIn().text("refresh_token"))
	for name, c := range map[string]struct {
		change []string
		status int
		code   string
	}{
		"no resource":    {[]string{"resource", ""}, 400, "invalid_target"},
		"other resource": {[]string{"resource", a.w.ServerURLs()[1]}, 400, "invalid_target"},
		"wider scope":    {[]string{"scope", "mcp:read mcp:write"}, 400, "invalid_scope"},
		"unknown token":  {[]string{"refresh_token", "x"}, 400, "invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) { a.wantError(a.post("/token", with(form, c.change...), "", ""), c.status, c.code) })
	}
	if resp := a.post("/token", form, "", ""); resp.status != http.StatusOK {
		t.Errorf("the refresh token was spent by a refusal: %s", resp.body)
	}
}

func TestRefreshTokenOfAnotherClient(t *testing.T) {
	a := start(t, fakeworld.Options{})
	form := with(a.refreshForm(a.signIn().text("refresh_token")), "client_id", "")
	a.wantError(a.post("/token", form, fakeworld.ConfidentialClient, fakeworld.ConfidentialSecret), 400, "invalid_grant")
}

func TestRefreshTokenExpires(t *testing.T) {
	a := start(t, fakeworld.Options{RefreshTTL: time.Minute})
	form := a.refreshForm(a.signIn().text("refresh_token"))
	a.w.Set(func(k *fakeworld.Behaviour) { k.Skew = fakeworld.Duration(2 * time.Minute) })
	a.wantError(a.post("/token", form, "", ""), 400, "invalid_grant")
}

func TestRefreshTokenIsLeftOut(t *testing.T) {
	for name, o := range map[string]fakeworld.Options{
		"NoRefresh":    {NoRefresh: true},
		"OfflineScope": {OfflineScope: true, Scopes: []string{"mcp:read", "offline_access"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t, o)
			if a.signIn().text("refresh_token") != "" {
				t.Error("a refresh token")
			}
		})
	}
	a := start(t, fakeworld.Options{OfflineScope: true, Scopes: []string{"mcp:read", "offline_access"}})
	code := a.authorize(with(a.authorizeForm(), "scope", "mcp:read offline_access")).Get("code")
	if a.post("/token", a.codeForm(code), "", "").text("refresh_token") == "" {
		t.Error("no refresh token in spite of offline_access")
	}
}

func TestMalformedTokenRequests(t *testing.T) {
	a := start(t, fakeworld.Options{})
	form := a.refreshForm(a.signIn().text("refresh_token"))
	twice := with(form)
	twice["resource"] = []string{a.w.ServerURL(), a.w.ServerURL()}
	a.wantError(a.post("/token", twice, "", ""), 400, "invalid_request")
	a.wantError(a.post("/token?x=1", form, "", ""), 400, "invalid_request")
	a.wantError(a.get(a.w.Issuer()+"/token"), 405, "invalid_request")
	req, err := http.NewRequest(http.MethodPost, a.w.Issuer()+"/token", strings.NewReader(form.Encode()))
	a.wantError(a.do(req, err), 400, "invalid_request")
}

func TestClientAuthentication(t *testing.T) {
	a := start(t, fakeworld.Options{})
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {a.w.ServerURL()}}
	id, secret := fakeworld.ConfidentialClient, fakeworld.ConfidentialSecret
	if resp := a.post("/token", form, id, secret); resp.status != http.StatusOK || resp.text("refresh_token") != "" {
		t.Errorf("client_credentials got %d %s", resp.status, resp.body)
	}
	a.wantError(a.post("/token", form, id, "wrong"), 401, "invalid_client")
	a.wantError(a.post("/token", with(form, "client_id", id), "", ""), 401, "invalid_client")
	a.wantError(a.post("/token", with(form, "client_id", id, "client_secret", secret), "", ""), 401, "invalid_client")
	a.wantError(a.post("/token", with(form, "client_secret", secret), id, secret), 400, "invalid_request")
	a.wantError(a.post("/token", with(form, "client_id", fakeworld.PublicClient), "", ""), 400, "unauthorized_client")
	a.wantError(a.post("/token", with(form, "resource", ""), id, secret), 400, "invalid_target")
	a.wantError(a.post("/token", with(form, "scope", "root"), id, secret), 400, "invalid_scope")

	b := start(t, fakeworld.Options{AuthMethod: "client_secret_post"})
	form.Set("resource", b.w.ServerURL())
	if resp := b.post("/token", with(form, "client_id", id, "client_secret", secret), "", ""); resp.status != http.StatusOK {
		t.Errorf("client_secret_post got %d %s", resp.status, resp.body)
	}
}

func TestRevocation(t *testing.T) {
	a := start(t, fakeworld.Options{})
	tokens := a.signIn()
	form := url.Values{"token": {tokens.text("access_token")}, "client_id": {fakeworld.PublicClient}}
	for _, kind := range []string{"access_token", "refresh_token"} {
		foreign := url.Values{"token": {tokens.text(kind)}}
		if resp := a.post("/revoke", foreign, fakeworld.ConfidentialClient, fakeworld.ConfidentialSecret); resp.status != http.StatusOK {
			t.Errorf("another client's token got %d", resp.status)
		}
	}
	a.wantPing(tokens.text("access_token"), http.StatusOK)
	a.wantError(a.post("/revoke", with(form, "client_id", "nobody"), "", ""), 401, "invalid_client")
	a.wantError(a.post("/revoke", with(form, "token", ""), "", ""), 400, "invalid_request")
	a.post("/revoke", form, "", "")
	a.wantPing(tokens.text("access_token"), http.StatusUnauthorized)

	second := a.post("/token", a.refreshForm(tokens.text("refresh_token")), "", "")
	a.post("/revoke", with(form, "token", tokens.text("refresh_token")), "", "")
	a.wantPing(second.text("access_token"), http.StatusUnauthorized)
	a.wantError(a.post("/token", a.refreshForm(tokens.text("refresh_token")), "", ""), 400, "invalid_grant")
	if s := a.w.Stats(); s.Revocations != 2 {
		t.Errorf("%d revocations", s.Revocations)
	}
}

func TestStatsAndSecrets(t *testing.T) {
	a := start(t, fakeworld.Options{Rotate: true})
	tokens := a.signIn()
	a.post("/token", with(a.refreshForm(tokens.text("refresh_token")), "scope", "mcp:read"), "", "")
	s := a.w.Stats()
	if s.Token["refresh_token"] != 1 || s.TokenOK["authorization_code"] != 1 || s.Authorizations != 1 || s.HTTP["POST /token"] != 2 {
		t.Errorf("stats say %+v", s)
	}
	last := s.TokenRequests[1]
	if last.Params.Get("resource") != a.w.ServerURL() || last.Params.Get("scope") != "mcp:read" || last.AuthMethod != "none" {
		t.Errorf("the request is booked as %+v", last)
	}
	secrets := a.w.Secrets()
	for _, secret := range []string{tokens.text("access_token"), tokens.text("refresh_token"), a.verifier} {
		if !slices.Contains(secrets, secret) {
			t.Error("a secret is missing in Secrets")
		}
		if strings.Contains(string(s.JSON()), secret) {
			t.Error("a secret is in the stats")
		}
	}
	a.w.ResetStats()
	if s := a.w.Stats(); len(s.Token)+len(s.TokenRequests)+s.Authorizations != 0 {
		t.Errorf("after the reset they say %+v", s)
	}
}

func TestIssue(t *testing.T) {
	a := start(t, fakeworld.Options{AccessTTL: time.Minute})
	is, err := a.w.Issue(fakeworld.PublicClient, a.w.ServerURL(), "bob")
	if err != nil || time.Until(is.Expiry) > time.Minute {
		t.Fatal(err, is.Expiry)
	}
	a.wantPing(is.Access.Reveal(), http.StatusOK)
	if resp := a.post("/token", a.refreshForm(is.Refresh.Reveal()), "", ""); resp.status != http.StatusOK {
		t.Errorf("the refresh token was refused: %s", resp.body)
	}
	if _, err := a.w.Issue("nobody", a.w.ServerURL(), "bob"); err == nil {
		t.Error("tokens for an unknown client")
	}
}
