package oauth

import (
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestClientAuthentication(t *testing.T) {
	secret := credential.NewSecret("s3cret:/ü")
	for name, test := range map[string]struct {
		given     credential.Secret
		method    string
		supported []string
		basic     string
		form      string // client_id|client_secret
	}{
		"none":                   {credential.Secret{}, "", nil, ":", "a b|"},
		"basic by default":       {secret, "", nil, "a+b:s3cret%3A%2F%C3%BC", "|"},
		"basic where supported":  {secret, "", []string{"client_secret_post", "client_secret_basic"}, "a+b:s3cret%3A%2F%C3%BC", "|"},
		"post where it must be":  {secret, "", []string{"client_secret_post"}, ":", "a b|s3cret:/ü"},
		"as it was at sign-in":   {secret, "client_secret_post", nil, ":", "a b|s3cret:/ü"},
		"none though one exists": {secret, "none", nil, ":", "a b|"},
		"none where it must be":  {secret, "", []string{"none"}, ":", "a b|"},
	} {
		s, a := newServer(t), newAsker(t)
		target := s.target()
		target.ClientID, target.Endpoints.AuthMethods = "a b", test.supported
		g := grant
		g.ClientSecret = test.given
		got, err := a.Silent(t.Context(), target, g, test.method, func(credential.Grant) error { return nil })
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if form := s.requests[0].Get("client_id") + "|" + s.requests[0].Get("client_secret"); form != test.form || s.basics[0] != test.basic {
			t.Errorf("%s: form %q, header %q", name, form, s.basics[0])
		}
		if !got.Grant.ClientSecret.Equal(test.given) {
			t.Errorf("%s: the secret was lost", name)
		}
	}
	s, a := newServer(t), newAsker(t)
	target := s.target()
	target.Secret, target.Endpoints.AuthMethods = secret, []string{"private_key_jwt"}
	_, _, err := silent(t, a, target)
	if err != nil { // the method of the sign-in, none, still holds
		t.Error(err)
	}
	_, err = a.Silent(t.Context(), target, grant, "", func(credential.Grant) error { return nil })
	check(t, err, credential.Misconfigured)
}
