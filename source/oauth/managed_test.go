package oauth

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

// jwtWith is a JWT with these claims, signed by nobody.
func jwtWith(claims string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(`{"alg":"ES256"}`)) + "." + b64([]byte(claims)) + ".c2ln"
}

func newManaged(a *asker, s *server, idToken string) Managed {
	return Managed{Source: a.Source, Issuer: s.url, ClientID: "there", Provider: func(context.Context) (credential.Secret, credential.Target, error) {
		return credential.NewSecret(idToken), credential.Target{Server: "https://idp.example", ClientID: "here", Endpoints: credential.Endpoints{Issuer: "https://idp.example", Token: s.url + "/token"}}, nil
	}}
}

// The provider's word is asked for with everything that says for whom and where, and spent with the client of the server.
func TestManaged(t *testing.T) {
	s, a := newServer(t), newAsker(t)
	grant := jwtWith(`{"aud":"x"}`)
	s.token = func(w http.ResponseWriter, form url.Values, n int) {
		if n == 1 {
			_, _ = io.WriteString(w, `{"access_token":"`+grant+`","issued_token_type":"`+typeIDJAG+`","token_type":"N_A"}`)
			return
		}
		_, _ = io.WriteString(w, `{"access_token":"at-1","token_type":"Bearer","expires_in":3600}`)
	}
	target := s.target()
	token, err := newManaged(a, s, "id.to.ken").Token(t.Context(), target)
	if err != nil || token.Access.Reveal() != "at-1" {
		t.Fatalf("%+v %v", token, err)
	}
	want := url.Values{
		"grant_type": {tokenExchange}, "requested_token_type": {typeIDJAG}, "audience": {s.url}, "resource": {target.Resource}, "scope": {"read write"},
		"subject_token": {"id.to.ken"}, "subject_token_type": {typeIDToken}, "client_id": {"here"},
	}
	if got := s.requests[0].Encode(); got != want.Encode() {
		t.Errorf("exchange: %s", got)
	}
	want = url.Values{"grant_type": {jwtBearer}, "assertion": {grant}, "resource": {target.Resource}, "scope": {"read write"}, "client_id": {"there"}}
	if got := s.requests[1].Encode(); got != want.Encode() {
		t.Errorf("grant: %s", got)
	}
}

func TestManagedRefused(t *testing.T) {
	for body, want := range map[string]struct {
		kind credential.Kind
		text string
	}{
		`{"error":"invalid_grant","error_description":"id.to.ken is old"}`: {credential.NoSignIn, "identity provider: the authorization server refused the sign-in (invalid_grant): ... is old"},
		`{"error":"login_required"}`:                                       {credential.NoSignIn, "identity provider: "},
		`{"error":"access_denied"}`:                                        {credential.Refused, "identity provider: access was denied"},
		`{"error":"invalid_client"}`:                                       {credential.Misconfigured, "identity provider: "},
		`{"access_token":"a.b.c","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`: {credential.BadAnswer, "without an identity assertion"},
		`{"access_token":"opaque","issued_token_type":"` + typeIDJAG + `"}`:                            {credential.BadAnswer, "without an identity assertion"},
	} {
		s, a := newServer(t), newAsker(t)
		status := http.StatusOK
		if strings.Contains(body, "error") {
			status = http.StatusBadRequest
		}
		s.answer(status, body)
		_, err := newManaged(a, s, "id.to.ken").Token(t.Context(), s.target())
		if credential.KindOf(err) != want.kind || !strings.Contains(err.Error(), want.text) || strings.Contains(err.Error(), "id.to.ken") || s.count() != 1 {
			t.Errorf("%s: %v, %d requests", body, err, s.count())
		}
	}
}

// A sign-in at a provider keeps the ID token, with the end that it names.
func TestIDToken(t *testing.T) {
	s, a := newServer(t), newAsker(t)
	target := s.target()
	target.IDToken = true
	good := jwtWith(`{"exp":1767325445}`)
	s.answer(200, `{"access_token":"at-1","token_type":"Bearer","expires_in":10,"refresh_token":"rt-2","id_token":"`+good+`"}`)
	got, kept, err := silent(t, a, target)
	if err != nil || got.Token.Access.Reveal() != good || got.Token.Expiry.Unix() != 1767325445 || got.Token.RefreshAt.After(got.Token.Expiry) {
		t.Errorf("%+v %v %v", got.Token, kept, err)
	}
	for _, bad := range []string{``, `a.b`, jwtWith(`{}`), jwtWith(`{"exp":"soon"}`), jwtWith(`{"exp":1e300}`), `a.!.c`} {
		s.answer(200, `{"access_token":"at-1","token_type":"Bearer","id_token":"`+bad+`"}`)
		if _, _, err := silent(t, a, target); credential.KindOf(err) != credential.BadAnswer {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
