package fakeworld

import (
	"crypto"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	authKey       = "private_key_jwt"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// assertionLife is the most that an assertion may be good for.
const assertionLife = 10 * time.Minute

// authenticateByKey judges a client's signed assertion (RFC 7523 section 3): its issuer and subject are the client, it is for
// this issuer, it is new and it is used once.
func (w *World) authenticateByKey(id string, form url.Values) (*Client, string, *oauthError) {
	claims, ok := w.assertion(form.Get("client_assertion"), w.opt.ClientKey)
	if id == "" {
		id = claims.Subject
	}
	c := w.client(id)
	if !ok || c == nil || c.AuthMethod != authKey || form.Get("client_assertion_type") != assertionType || claims.Issuer != id || claims.Subject != id {
		return nil, id, badClient()
	}
	return c, id, nil
}

// assertion verifies a JWT that is for this issuer and was not seen before.
func (w *World) assertion(text string, key crypto.PublicKey) (jwt.Claims, bool) {
	var claims jwt.Claims
	parsed, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA})
	if err != nil || key == nil || parsed.Claims(key, &claims) != nil {
		return claims, false
	}
	now := w.now()
	good := slices.Equal(claims.Audience, jwt.Audience{w.issuer}) && claims.ID != "" && !w.tokenStore.assertions[claims.ID] &&
		claims.Expiry != nil && claims.Expiry.Time().After(now) && claims.Expiry.Time().Before(now.Add(assertionLife)) &&
		claims.ValidateWithLeeway(jwt.Expected{Time: now}, 0) == nil
	w.tokenStore.assertions[claims.ID] = true
	return claims, good
}

// redeemAssertion takes an assertion of another issuer as a grant. There is no refresh token: the workload can bring another one.
func (w *World) redeemAssertion(c *Client, form url.Values) (map[string]any, *oauthError) {
	subject := ""
	claims, ok := w.assertion(form.Get("assertion"), w.opt.WorkloadKey)
	if subject = claims.Subject; w.opt.Trusts != "" {
		var v vouched
		v, ok = w.identityAssertion(c, form)
		subject = v.Subject
	}
	if !ok {
		return nil, refuse("invalid_grant", "the assertion is not good here")
	}
	if oe := w.checkResource(form, ""); oe != nil {
		return nil, oe
	}
	scopes, oe := checkScope(form, w.opt.Scopes, w.defaultScopes())
	if oe != nil {
		return nil, oe
	}
	return w.tokens(w.newGrant(c, subject, form.Get("resource"), scopes), scopes, false), nil
}
