package fakeworld_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

func TestAuthorizationIsRefused(t *testing.T) {
	a := start(t, fakeworld.Options{})
	for name, c := range map[string]struct {
		change []string
		code   string
	}{
		"no PKCE":          {[]string{"code_challenge", ""}, "invalid_request"},
		"plain PKCE":       {[]string{"code_challenge_method", "plain"}, "invalid_request"},
		"default PKCE":     {[]string{"code_challenge_method", ""}, "invalid_request"},
		"no state":         {[]string{"state", ""}, "invalid_request"},
		"implicit flow":    {[]string{"response_type", "token"}, "unsupported_response_type"},
		"no resource":      {[]string{"resource", ""}, "invalid_target"},
		"foreign resource": {[]string{"resource", "https://example.com/mcp"}, "invalid_target"},
		"unknown scope":    {[]string{"scope", "mcp:read root"}, "invalid_scope"},
	} {
		t.Run(name, func(t *testing.T) {
			back := a.authorize(with(a.authorizeForm(), c.change...))
			if back.Get("error") != c.code || back.Has("code") || back.Get("iss") != a.w.Issuer() {
				t.Errorf("the redirect back has %v", back)
			}
		})
	}
	repeated := with(a.authorizeForm())
	repeated["state"] = []string{"1", "2"}
	if back := a.authorize(repeated); back.Get("error") != "invalid_request" {
		t.Errorf("a repeated parameter got %v", back)
	}
}

func TestAuthorizationNeverRedirectsToStrangers(t *testing.T) {
	a := start(t, fakeworld.Options{})
	for _, uri := range []string{
		"", "http://127.0.0.1:1/other", "http://localhost:1/callback", "https://127.0.0.1:1/callback",
		"http://127.0.0.1:1/callback?x=1", "http://127.0.0.1.example.com/callback", "http://[::1]:1/callback",
	} {
		if resp := a.get(a.w.Issuer() + "/authorize?" + with(a.authorizeForm(), "redirect_uri", uri).Encode()); resp.status != http.StatusBadRequest {
			t.Errorf("redirect_uri %q got %d", uri, resp.status)
		}
	}
	if resp := a.get(a.w.Issuer() + "/authorize?" + with(a.authorizeForm(), "client_id", "nobody").Encode()); resp.status != http.StatusBadRequest {
		t.Errorf("an unknown client got %d", resp.status)
	}
	exact := start(t, fakeworld.Options{ExactPorts: true})
	if resp := exact.get(exact.w.Issuer() + "/authorize?" + exact.authorizeForm().Encode()); resp.status != http.StatusBadRequest {
		t.Errorf("another port with ExactPorts got %d", resp.status)
	}
}

func TestAuthorizationKnobs(t *testing.T) {
	a := start(t, fakeworld.Options{IssuerPath: "/tenant"})
	a.w.Set(func(k *fakeworld.Behaviour) { k.Deny = "access_denied" })
	if back := a.authorize(a.authorizeForm()); back.Get("error") != "access_denied" || back.Get("state") != "state-1" {
		t.Errorf("denied: %v", back)
	}
	a.w.Set(func(k *fakeworld.Behaviour) {
		*k = fakeworld.Behaviour{Redirect: map[string]any{"iss": "https://example.com", "state": nil}, User: "bob"}
	})
	back := a.authorize(a.authorizeForm())
	if back.Get("iss") != "https://example.com" || back.Has("state") || back.Get("code") == "" {
		t.Errorf("lied to: %v", back)
	}
	token := a.post("/token", a.codeForm(back.Get("code")), "", "").text("access_token")
	if who := a.ping(a.w.ServerURL(), token); who.text("subject") != "bob" {
		t.Errorf("signed in as %s", who.body)
	}
	hinted := a.authorize(with(a.authorizeForm(), "login_hint", "carol"))
	token = a.post("/token", a.codeForm(hinted.Get("code")), "", "").text("access_token")
	if who := a.ping(a.w.ServerURL(), token); who.text("subject") != "carol" {
		t.Errorf("signed in as %s", who.body)
	}
}

func TestClientDocument(t *testing.T) {
	const id = "https://client.example.com/doc"
	a := start(t, fakeworld.Options{})
	if resp := a.get(a.w.Issuer() + "/authorize?" + with(a.authorizeForm(), "client_id", id).Encode()); resp.status != http.StatusBadRequest {
		t.Errorf("an unpublished document got %d", resp.status)
	}
	a.w.Set(func(k *fakeworld.Behaviour) {
		doc := fakeworld.Client{ID: id, RedirectURIs: []string{"http://127.0.0.1/callback"}}
		k.ClientDocuments = map[string]fakeworld.Client{id: doc, id + "/copy": doc}
	})
	if resp := a.get(a.w.Issuer() + "/authorize?" + with(a.authorizeForm(), "client_id", id+"/copy").Encode()); resp.status != http.StatusBadRequest {
		t.Errorf("a document that names another client got %d", resp.status)
	}
	code := a.authorize(with(a.authorizeForm(), "client_id", id)).Get("code")
	if resp := a.post("/token", with(a.codeForm(code), "client_id", id), "", ""); resp.status != http.StatusOK {
		t.Errorf("its code was refused: %s", resp.body)
	}
	if doc := a.get(a.w.Issuer() + "/.well-known/oauth-authorization-server").doc; doc["client_id_metadata_document_supported"] != true {
		t.Error("the metadata keep client id documents to themselves")
	}
}

// register posts a registration and returns the answer.
func (a *agent) register(doc string) answer {
	a.t.Helper()
	req, err := http.NewRequest(http.MethodPost, a.w.Issuer()+"/register", strings.NewReader(doc))
	if err == nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return a.do(req, err)
}

const nativeClient = `{"redirect_uris":["http://127.0.0.1:1/callback"],"application_type":"native",` +
	`"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"]}`

func TestRegisteredClient(t *testing.T) {
	a := start(t, fakeworld.Options{})
	resp := a.register(nativeClient)
	id := resp.text("client_id")
	if resp.status != http.StatusCreated || id == "" || resp.text("client_secret") != "" {
		t.Fatalf("registration answered %d %s", resp.status, resp.body)
	}
	code := a.authorize(with(a.authorizeForm(), "client_id", id)).Get("code")
	tokens := a.post("/token", with(a.codeForm(code), "client_id", id), "", "")
	if tokens.text("refresh_token") == "" {
		t.Errorf("no refresh token: %s", tokens.body)
	}
	if s := a.w.Stats(); s.Registrations != 1 || s.RegisterRequests[0].ApplicationType != "native" {
		t.Errorf("stats say %+v", s)
	}
	plain := a.register(strings.Replace(nativeClient, `,"refresh_token"`, "", 1)).text("client_id")
	code = a.authorize(with(a.authorizeForm(), "client_id", plain)).Get("code")
	tokens = a.post("/token", with(a.codeForm(code), "client_id", plain), "", "")
	if tokens.status != http.StatusOK || tokens.text("refresh_token") != "" {
		t.Errorf("a client without the refresh_token grant type got %s", tokens.body)
	}
}

func TestRegistrationWithSecret(t *testing.T) {
	a := start(t, fakeworld.Options{AuthMethod: "client_secret_basic"})
	resp := a.register(nativeClient)
	id, secret := resp.text("client_id"), resp.text("client_secret")
	if secret == "" || resp.text("token_endpoint_auth_method") != "client_secret_basic" {
		t.Fatalf("registration answered %s", resp.body)
	}
	code := a.authorize(with(a.authorizeForm(), "client_id", id)).Get("code")
	form := with(a.codeForm(code), "client_id", "")
	a.wantError(a.post("/token", form, id, "wrong"), 401, "invalid_client")
	if tokens := a.post("/token", form, id, secret); tokens.status != http.StatusOK {
		t.Errorf("the secret was refused: %s", tokens.body)
	}
}

func TestRegistrationIsRefused(t *testing.T) {
	a := start(t, fakeworld.Options{})
	for name, c := range map[string]struct{ doc, code string }{
		"not JSON":            {`x`, "invalid_client_metadata"},
		"no redirect":         {`{"application_type":"native"}`, "invalid_redirect_uri"},
		"web, loopback":       {`{"redirect_uris":["http://127.0.0.1:1/callback"]}`, "invalid_redirect_uri"},
		"native, elsewhere":   {`{"application_type":"native","redirect_uris":["http://example.com/callback"]}`, "invalid_redirect_uri"},
		"native, https":       {`{"application_type":"native","redirect_uris":["https://example.com/callback"]}`, "invalid_redirect_uri"},
		"fragment":            {`{"application_type":"native","redirect_uris":["http://127.0.0.1/#x"]}`, "invalid_redirect_uri"},
		"unknown type":        {`{"application_type":"x","redirect_uris":["http://127.0.0.1/"]}`, "invalid_redirect_uri"},
		"unknown auth method": {strings.Replace(nativeClient, `"none"`, `"tls"`, 1), "invalid_client_metadata"},
		"unknown grant type":  {strings.Replace(nativeClient, `"refresh_token"`, `"password"`, 1), "invalid_client_metadata"},
		"implicit":            {strings.Replace(nativeClient, `{`, `{"response_types":["token"],`, 1), "invalid_client_metadata"},
		"own id":              {strings.Replace(nativeClient, `{`, `{"client_id":"x",`, 1), "invalid_client_metadata"},
		"unknown scope":       {strings.Replace(nativeClient, `{`, `{"scope":"root",`, 1), "invalid_client_metadata"},
	} {
		t.Run(name, func(t *testing.T) { a.wantError(a.register(c.doc), 400, c.code) })
	}
	closed := start(t, fakeworld.Options{NoRegistration: true})
	if resp := closed.register(nativeClient); resp.status != http.StatusNotFound {
		t.Errorf("NoRegistration answered %d", resp.status)
	}
	if doc := closed.get(closed.w.Issuer() + "/.well-known/oauth-authorization-server").doc; doc["registration_endpoint"] != nil {
		t.Error("NoRegistration still publishes the endpoint")
	}
}

// TestProviders are the ways of well-known providers that are not those of the specifications.
func TestProviders(t *testing.T) {
	a := start(t, fakeworld.Options{NoIss: true, OpenIDOnly: true, CommaScopes: true, PlainRefresh: true, ErrorsOK: true, NeedParam: "audience=api"})
	if resp := a.get(a.w.Issuer() + "/.well-known/oauth-authorization-server"); resp.status != http.StatusNotFound {
		t.Errorf("RFC 8414: %d", resp.status)
	}
	resp := a.get(a.w.Issuer() + "/.well-known/openid-configuration")
	if _, announced := resp.doc["authorization_response_iss_parameter_supported"]; resp.status != http.StatusOK || announced {
		t.Errorf("OpenID Connect: %d %s", resp.status, resp.body)
	}
	for audience, want := range map[string]int{"api": http.StatusOK, "other": http.StatusUnauthorized, "": http.StatusUnauthorized} {
		back := a.authorize(with(a.authorizeForm(), "audience", audience, "scope", "mcp:read mcp:write"))
		tokens := a.post("/token", a.codeForm(back.Get("code")), "", "")
		if back.Has("iss") || tokens.text("scope") != "mcp:read,mcp:write" {
			t.Errorf("%v %s", back, tokens.text("scope"))
		}
		a.wantPing(tokens.text("access_token"), want)
		refresh := a.refreshForm(tokens.text("refresh_token"))
		a.wantError(a.post("/token", with(refresh, "scope", "mcp:read"), "", ""), http.StatusOK, "invalid_scope")
		if resp := a.post("/token", with(refresh, "scope", ""), "", ""); resp.text("access_token") == "" {
			t.Errorf("refresh: %s", resp.body)
		}
	}
}
