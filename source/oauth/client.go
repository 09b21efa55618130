package oauth

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// The ways a client shows who it is at the token endpoint (RFC 6749 section 2.3, RFC 7591 section 2).
const (
	authNone  = "none"
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
	authKey   = "private_key_jwt"
)

// client is who asks.
type client struct {
	id     string
	secret credential.Secret
	key    *signer
	method string
	proof  credential.Secret // key that its tokens are bound to (RFC 9449); zero: they are bearer tokens
}

// knownClient returns the client of an earlier sign-in. A secret given now replaces the kept one: the user has changed it.
func knownClient(t credential.Target, g credential.Grant, method string) (client, error) {
	secret := t.Secret
	if secret.IsZero() {
		secret = g.ClientSecret
	}
	return newClient(t, t.ClientID, secret, method)
}

// newClient checks the pieces; an empty method is chosen by what the server supports. Basic is the default where the
// server does not say (RFC 8414 section 2).
func newClient(t credential.Target, id string, secret credential.Secret, method string) (client, error) {
	if id == "" || t.Endpoints.Token == "" {
		return client{}, credential.Fail(credential.Misconfigured, "the client ID or the token endpoint is missing", nil)
	}
	supported := t.Endpoints.AuthMethods
	switch {
	case method != "":
	case t.Key.File != "":
		method = authKey
	case secret.IsZero():
		method = authNone
	case len(supported) == 0 || slices.Contains(supported, authBasic):
		method = authBasic
	case slices.Contains(supported, authPost):
		method = authPost
	case slices.Contains(supported, authNone): // a secret that the server gives, and then takes nowhere
		method = authNone
	}
	if method == authKey {
		key, err := newSigner(t.Key, t.Endpoints)
		return client{id: id, key: key, method: method}, err
	}
	if method != authNone && method != authBasic && method != authPost {
		return client{}, credential.Fail(credential.Misconfigured, "the authorization server wants this client to authenticate in a way that is not supported; client_secret_basic and client_secret_post are with a client secret, private_key_jwt is with a key", nil)
	}
	if method != authNone && secret.IsZero() {
		return client{}, credential.Fail(credential.Misconfigured, "the client needs its client secret", nil)
	}
	return client{id: id, secret: secret, method: method}, nil
}

// identify adds the client to a form; for Basic, sign does the whole. A form that is sent again is given a new assertion.
func (c client) identify(form url.Values, now time.Time) error {
	if c.method == authKey {
		assertion, err := c.key.assertion(c.id, now)
		if err != nil {
			return err
		}
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", assertion.Reveal())
	}
	if c.method != authBasic {
		set(form, "client_id", c.id)
	}
	if c.method == authPost {
		form.Set("client_secret", c.secret.Reveal())
	}
	return nil
}

// sign adds the Basic header; both halves are form-encoded first (RFC 6749 section 2.3.1).
func (c client) sign(r *http.Request) {
	if c.method == authBasic {
		r.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(c.secret.Reveal()))
	}
}
