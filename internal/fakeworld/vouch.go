package fakeworld

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeIDToken   = "urn:ietf:params:oauth:token-type:id_token"
	typeIDJAG     = "urn:ietf:params:oauth:token-type:id-jag"
	headerIDJAG   = "oauth-id-jag+jwt"
)

// vouchLife is how long an identity assertion is good for.
const vouchLife = 5 * time.Minute

// vouched are the claims of an identity assertion.
type vouched struct {
	jwt.Claims
	ClientID string `json:"client_id"`
	Resource string `json:"resource"`
}

// redeemIDToken exchanges an ID token of this provider, made for this client, for an identity assertion that one other
// authorization server takes. A person whose grants have ended is not vouched for.
func (w *World) redeemIDToken(c *Client, form url.Values) (map[string]any, *oauthError) {
	var claims jwt.Claims
	parsed, err := jwt.ParseSigned(form.Get("subject_token"), []jose.SignatureAlgorithm{jose.ES256})
	switch {
	case form.Get("requested_token_type") != typeIDJAG || form.Get("subject_token_type") != typeIDToken:
		return nil, refuse("invalid_request", "only an ID token is exchanged, and only for an identity assertion")
	case form.Get("audience") == "" || form.Get("resource") == "":
		return nil, refuse("invalid_request", "audience and resource are required")
	case err != nil || parsed.Claims(w.keys.key.Public(), &claims) != nil ||
		claims.ValidateWithLeeway(jwt.Expected{Issuer: w.issuer, AnyAudience: jwt.Audience{c.ID}, Time: w.now()}, 0) != nil || !w.known(c, claims.Subject):
		return nil, refuse("invalid_grant", "the ID token is not good any more")
	}
	text := w.keys.sign(map[string]any{"alg": "ES256", "kid": "1", "typ": headerIDJAG}, map[string]any{
		"iss": w.issuer, "sub": claims.Subject, "aud": form.Get("audience"), "resource": form.Get("resource"), "client_id": ConfidentialClient,
		"jti": rand.Text(), "iat": w.now().Unix(), "exp": w.now().Add(vouchLife).Unix(), "scope": form.Get("scope"),
	})
	return map[string]any{"access_token": text, "issued_token_type": typeIDJAG, "token_type": "N_A", "expires_in": int(vouchLife / time.Second)}, nil
}

// known reports whether somebody has signed in with the client and not been signed out.
func (w *World) known(c *Client, subject string) bool {
	for _, g := range w.tokenStore.grants {
		if g.client == c && g.subject == subject && !g.revoked {
			return true
		}
	}
	return false
}

// identityAssertion judges the word of the provider that this server trusts.
func (w *World) identityAssertion(c *Client, form url.Values) (vouched, bool) {
	var v vouched
	parsed, err := jwt.ParseSigned(form.Get("assertion"), []jose.SignatureAlgorithm{jose.ES256})
	keys, kerr := keysOf(w.opt.Trusts)
	if err != nil || kerr != nil || parsed.Headers[0].ExtraHeaders[jose.HeaderType] != headerIDJAG || parsed.Claims(keys, &v) != nil {
		return v, false
	}
	good := v.ValidateWithLeeway(jwt.Expected{Issuer: w.opt.Trusts, AnyAudience: jwt.Audience{w.issuer}, Time: w.now()}, 0) == nil &&
		v.ClientID == c.ID && strings.HasPrefix(v.Resource, w.origin) && v.ID != "" && !w.tokenStore.assertions[v.ID]
	w.tokenStore.assertions[v.ID] = true
	return v, good
}

// keysOf fetches the keys of another world.
func keysOf(issuer string) (*jose.JSONWebKeySet, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer+"/jwks", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var keys jose.JSONWebKeySet
	return &keys, json.NewDecoder(resp.Body).Decode(&keys)
}
