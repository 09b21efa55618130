package fakeworld

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// token serves the token endpoint.
func (w *World) token(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	form, oe := readForm(r)
	if oe != nil {
		w.countToken(form, "", "", oe)
		oe.write(rw)
		return
	}
	defer func() { w.proofs.key = "" }()
	c, id, oe := w.authenticate(r, form)
	method := ""
	var doc map[string]any
	if oe == nil {
		method = c.AuthMethod
		oe = w.proveToken(rw, r)
	}
	if oe == nil {
		doc, oe = w.redeem(c, form)
	}
	w.countToken(form, id, method, oe)
	if oe != nil {
		if w.opt.ErrorsOK {
			oe.status = http.StatusOK
		}
		oe.write(rw)
		return
	}
	WriteJSON(rw, http.StatusOK, Override(doc, w.knobs.Token))
}

func (w *World) redeem(c *Client, form url.Values) (map[string]any, *oauthError) {
	redeemers := map[string]func(*Client, url.Values) (map[string]any, *oauthError){
		grantCode: w.redeemCode, grantRefresh: w.redeemRefresh,
		grantDevice: w.redeemDevice, grantCredentials: w.redeemCredentials, grantAssertion: w.redeemAssertion, grantExchange: w.redeemIDToken,
	}
	kind := form.Get("grant_type")
	redeemer := redeemers[kind]
	switch {
	case redeemer == nil:
		return nil, refuse("unsupported_grant_type", "grant_type is unknown")
	case !c.has(kind):
		return nil, refuse("unauthorized_client", "the client may not use this grant type")
	}
	return redeemer(c, form)
}

// redeemCode spends an authorization code at its first presentation by its client, good or bad.
func (w *World) redeemCode(c *Client, form url.Values) (map[string]any, *oauthError) {
	co := w.tokenStore.codes[form.Get("code")]
	if co == nil || co.client != c {
		return nil, refuse("invalid_grant", "the code is unknown")
	}
	if co.spent {
		w.stats.Reuse++
		if co.grant != nil {
			w.revoke(co.grant)
		}
		return nil, refuse("invalid_grant", "the code was used before")
	}
	co.spent = true
	switch {
	case w.now().After(co.expiry):
		return nil, refuse("invalid_grant", "the code is too old")
	case form.Get("redirect_uri") != co.redirect:
		return nil, refuse("invalid_grant", "redirect_uri is not the one of the authorization request")
	case co.key != "" && co.key != w.proofs.key:
		return nil, refuse("invalid_grant", "the code is bound to another key")
	case !verifies(form.Get("code_verifier"), co.challenge):
		return nil, refuse("invalid_grant", "code_verifier does not fit")
	}
	if oe := w.checkResource(form, co.resource); oe != nil {
		return nil, oe
	}
	co.grant = w.newGrant(c, co.subject, co.resource, co.scopes)
	co.grant.nonce, co.grant.online, co.grant.aimless = co.nonce, co.online, co.aimless
	return w.tokens(co.grant, co.scopes, w.wantsRefresh(co.grant)), nil
}

// verifies checks PKCE (RFC 7636 section 4.6).
func verifies(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return len(verifier) >= 43 && len(verifier) <= 128 && base64.RawURLEncoding.EncodeToString(sum[:]) == challenge
}

// redeemRefresh judges everything else before it spends the refresh token.
func (w *World) redeemRefresh(c *Client, form url.Values) (map[string]any, *oauthError) {
	rt := w.tokenStore.refresh[form.Get("refresh_token")]
	switch {
	case rt == nil || rt.grant.client != c:
		return nil, refuse("invalid_grant", "the refresh token is unknown")
	case rt.spent:
		w.stats.Reuse++
		if w.opt.RevokeOnReuse {
			w.revoke(rt.grant)
		}
		return nil, refuse("invalid_grant", "the refresh token was used before")
	case rt.grant.key != w.proofs.key:
		return nil, refuse("invalid_grant", "the refresh token is bound to another key")
	case rt.grant.revoked:
		return nil, refuse("invalid_grant", "the grant was revoked")
	case !rt.expiry.IsZero() && w.now().After(rt.expiry):
		return nil, refuse("invalid_grant", "the refresh token is too old")
	case w.opt.PlainRefresh && form.Has("scope"):
		return nil, refuse("invalid_scope", "a refresh gets the scopes that were granted")
	}
	if oe := w.checkResource(form, rt.grant.resource); oe != nil {
		return nil, oe
	}
	scopes, oe := checkScope(form, rt.grant.scopes, rt.grant.scopes)
	if oe != nil {
		return nil, oe
	}
	rt.spent = w.opt.Rotate
	return w.tokens(rt.grant, scopes, w.opt.Rotate), nil
}

// redeemCredentials serves a client that acts for itself (RFC 6749 section 4.4): no person, no refresh token.
func (w *World) redeemCredentials(c *Client, form url.Values) (map[string]any, *oauthError) {
	if c.AuthMethod == "none" {
		return nil, refuse("unauthorized_client", "a public client cannot act for itself")
	}
	if oe := w.checkResource(form, ""); oe != nil {
		return nil, oe
	}
	scopes, oe := checkScope(form, w.opt.Scopes, w.defaultScopes())
	if oe != nil {
		return nil, oe
	}
	return w.tokens(w.newGrant(c, c.ID, form.Get("resource"), scopes), scopes, false), nil
}

func (c *Client) has(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// defaultScopes are what a request without scope gets: everything but offline_access.
func (w *World) defaultScopes() []string {
	return slices.DeleteFunc(slices.Clone(w.opt.Scopes), func(s string) bool { return s == "offline_access" })
}

func (w *World) wantsRefresh(g *grant) bool {
	return !w.opt.NoRefresh && !g.online && g.client.has(grantRefresh) &&
		(!w.opt.OfflineScope || slices.Contains(g.scopes, "offline_access"))
}

func (w *World) newGrant(c *Client, subject, resource string, scopes []string) *grant {
	g := &grant{client: c, subject: subject, resource: resource, scopes: scopes, key: w.proofs.key}
	w.tokenStore.grants = append(w.tokenStore.grants, g)
	return g
}

// tokens issues an access token and, where withRefresh, a refresh token; the result is the response of RFC 6749
// section 5.1. refresh_token_expires_in is what GitHub, Microsoft and others add to it.
func (w *World) tokens(g *grant, scopes []string, withRefresh bool) map[string]any {
	value := w.tokenStore.secret("at_")
	w.tokenStore.access[value] = &accessToken{grant: g, scopes: scopes, expiry: w.now().Add(w.opt.AccessTTL), serial: len(w.tokenStore.access) + 1}
	doc := map[string]any{"access_token": value, "token_type": "Bearer", "scope": strings.Join(scopes, " ")}
	if w.opt.CommaScopes {
		doc["scope"] = strings.Join(scopes, ",")
	}
	if g.key != "" {
		doc["token_type"] = "DPoP"
	}
	if w.opt.OmitScope {
		delete(doc, "scope")
	}
	if !w.opt.OmitExpiry {
		doc["expires_in"] = int(w.opt.AccessTTL / time.Second)
	}
	if withRefresh {
		w.addRefresh(doc, g)
	}
	if slices.Contains(scopes, "openid") {
		doc["id_token"] = w.keys.idToken(w.issuer, g, w.now(), w.opt.AccessTTL)
	}
	return doc
}

func (w *World) addRefresh(doc map[string]any, g *grant) {
	rt := &refreshToken{grant: g}
	if w.opt.RefreshTTL > 0 {
		rt.expiry = w.now().Add(w.opt.RefreshTTL)
		doc["refresh_token_expires_in"] = int(w.opt.RefreshTTL / time.Second)
	}
	value := w.tokenStore.secret("rt_")
	w.tokenStore.refresh[value] = rt
	doc["refresh_token"] = value
}
