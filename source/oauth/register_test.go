package oauth

import (
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestClientDocument(t *testing.T) {
	s, a, p := newServer(t), newAsker(t), newPerson(t)
	target := s.target()
	target.ClientID, target.Endpoints.ClientIDDocs = "https://app.example/client.json", true
	if _, err := a.Interactive(t.Context(), target, p); err != nil || s.authorized.Get("client_id") != target.ClientID || p.registered != nil {
		t.Errorf("%v, client %q", err, s.authorized.Get("client_id"))
	}
}

func TestRegistrationToolHive3078(t *testing.T) {
	for name, test := range map[string]struct {
		answer    string
		supported []string
		ask       string // token_endpoint_auth_method sent
		method    string // in use
		secret    string
	}{
		"public":              {`{"client_id":"dynamic","token_endpoint_auth_method":"none"}`, nil, "none", "none", ""},
		"public, not said":    {`{"client_id":"dynamic"}`, []string{"client_secret_basic", "none"}, "none", "none", ""},
		"secret, not said":    {`{"client_id":"dynamic","client_secret":"s3cret"}`, nil, "none", "client_secret_basic", "s3cret"},
		"secret, said":        {`{"client_id":"dynamic","client_secret":"s3cret","token_endpoint_auth_method":"client_secret_post"}`, nil, "none", "client_secret_post", "s3cret"},
		"only post supported": {`{"client_id":"dynamic","client_secret":"s3cret"}`, []string{"client_secret_post"}, "client_secret_post", "client_secret_post", "s3cret"},
	} {
		s, a, p := newServer(t), newAsker(t), newPerson(t)
		s.register = test.answer
		target := s.target()
		target.ClientID, target.Endpoints.AuthMethods = "", test.supported
		got, err := a.Interactive(t.Context(), target, p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.ClientID != "dynamic" || got.AuthMethod != test.method || got.Grant.ClientSecret.Reveal() != test.secret {
			t.Errorf("%s: %+v", name, got)
		}
		equal(t, name, p.registered, []string{"dynamic", test.secret})
		sent := s.registered
		uris, _ := sent["redirect_uris"].([]any)
		if sent["token_endpoint_auth_method"] != test.ask || sent["application_type"] != "native" || sent["scope"] != "read write" ||
			len(uris) != 1 || uris[0] != s.authorized.Get("redirect_uri") {
			t.Errorf("%s: registered %v", name, sent)
		}
		if types, _ := sent["grant_types"].([]any); len(types) != 2 || types[0] != "authorization_code" || types[1] != "refresh_token" {
			t.Errorf("%s: grant types %v", name, sent["grant_types"])
		}
	}
}

func TestRegistrationRefused(t *testing.T) {
	for answer, kind := range map[string]credential.Kind{
		`{"error":"invalid_redirect_uri"}`: credential.Misconfigured,
		`{"client_id":"a\nb"}`:             credential.Hostile,
		`{}`:                               credential.Hostile,
		`<html>`:                           credential.Hostile,
		`{"client_id":"x","client_secret":"s3cret","token_endpoint_auth_method":"private_key_jwt"}`: credential.Misconfigured,
	} {
		s, a, p := newServer(t), newAsker(t), newPerson(t)
		s.register = answer
		target := s.target()
		target.ClientID = ""
		_, err := a.Interactive(t.Context(), target, p)
		check(t, err, kind)
		if p.registered != nil || p.opened != "" {
			t.Errorf("%s: went on", answer)
		}
	}
}

func TestRegisteredScope(t *testing.T) {
	for _, test := range []struct{ wanted, listed, want string }{
		{"a b", "", "a b"}, {"a b", "a b c", "a b"}, {"a b", "a offline_access", ""}, {"", "a", ""},
	} {
		if got := registrableScope(strings.Fields(test.wanted), strings.Fields(test.listed)); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

// TestReusedRegistration: a native client's loopback redirect matches on any port (RFC 8252 section 7.3), so the
// client of an earlier sign-in is used as it is.
func TestReusedRegistration(t *testing.T) {
	s, a, p := newServer(t), newAsker(t), newPerson(t)
	target := s.target()
	target.ClientID = ""
	first, err := a.Interactive(t.Context(), target, p)
	if err != nil {
		t.Fatal(err)
	}
	earlier := s.authorized.Get("redirect_uri")
	target.ClientID = first.ClientID
	p = newPerson(t)
	if _, err := a.Interactive(t.Context(), target, p); err != nil || p.registered != nil {
		t.Errorf("%v, registered %v", err, p.registered)
	}
	if s.authorized.Get("redirect_uri") == earlier {
		t.Log("the system chose the same port twice")
	}
}
