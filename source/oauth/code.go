package oauth

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/dpop"
	"github.com/mcp-credential/mcp-credential/internal/loopback"
	"github.com/mcp-credential/mcp-credential/source"
)

// attempt is one authorization code sign-in. The issuer stays with the verifier, so that an answer of another
// authorization server is never redeemed (RFC 9207, mix-up).
type attempt struct {
	source.Attempt
	target credential.Target
	client client
	key    credential.Secret // that the tokens will be bound to; zero: they are bearer tokens
}

// code signs in by authorization code with PKCE. The redirect comes to a loopback port, or is pasted by the person.
func (s *Source) code(ctx context.Context, t credential.Target, ui source.UI) (credential.Answer, error) {
	if err := checkCode(t); err != nil {
		return credential.Answer{}, err
	}
	a := attempt{Attempt: source.NewAttempt(), target: t}
	var err error
	if a.key, err = newKey(t); err != nil {
		return credential.Answer{}, err
	}
	if ui.Way() == source.NoBrowser {
		return s.pasted(ctx, a, ui)
	}
	waiting, err := source.Listen(ctx, ui, t, a.State, false, loopback.Listen)
	if err != nil {
		return credential.Answer{}, err
	}
	defer waiting.Close()
	a.Redirect = waiting.URI()
	if a.client, err = s.client(ctx, t, ui, a.Redirect); err != nil {
		return credential.Answer{}, err
	}
	arrival, err := source.Browse(ctx, ui, a.url(), waiting)
	if err != nil {
		return credential.Answer{}, err
	}
	answer, err := s.redeem(ctx, a, arrival.Values)
	arrival.Done(err)
	return answer, err
}

// pasted is code for a person whose browser is on another machine.
func (s *Source) pasted(ctx context.Context, a attempt, ui source.UI) (credential.Answer, error) {
	var err error
	if a.Redirect, err = source.RedirectElsewhere(a.target, loopback.Listen); err != nil {
		return credential.Answer{}, err
	}
	if a.client, err = s.client(ctx, a.target, ui, a.Redirect); err != nil {
		return credential.Answer{}, err
	}
	values, err := a.Pasted(ctx, ui, a.url())
	if err != nil {
		return credential.Answer{}, err
	}
	return s.redeem(ctx, a, values)
}

// checkCode refuses servers that do not announce S256: without the announcement nobody knows whether they check it
// (MCP authorization, "Authorization Code Protection").
func checkCode(t credential.Target) error {
	e := t.Endpoints
	if e.Authorization == "" {
		return credential.Fail(credential.Misconfigured, "the authorization server has no authorization endpoint", nil)
	}
	if !slices.Contains(e.PKCE, "S256") {
		text := "the authorization server does not announce PKCE with S256, which protects the sign-in"
		if e.PKCE == nil {
			text += credential.Accept(t.Server, "assume_pkce", "true")
		}
		return credential.Fail(credential.Misconfigured, text, nil)
	}
	return credential.CheckEndpoint(e.Authorization, "authorization_endpoint")
}

// url is the authorization request (RFC 6749 section 4.1.1, RFC 7636, RFC 8707). A query in the endpoint stays; what a
// provider needs and what a person has written down come next, and our own parameters win over all.
func (a attempt) url() string {
	u, _ := url.Parse(a.target.Endpoints.Authorization) // checkCode has parsed it
	q := u.Query()
	for _, params := range []map[string]string{needs[a.target.Endpoints.Issuer], a.target.Params} {
		for name, value := range params {
			q.Set(name, value)
		}
	}
	q.Set("response_type", "code")
	q.Set("client_id", a.client.id)
	q.Set("redirect_uri", a.Redirect)
	a.Request(q)
	scopes := wanted(a.target)
	set(q, "resource", a.target.Resource)
	set(q, "scope", strings.Join(scopes, " "))
	set(q, "claims", a.target.Claims)
	if slices.Contains(scopes, "offline_access") {
		q.Set("prompt", "consent") // without it the scope is ignored (OpenID Connect Core section 11)
	}
	if strings.Contains(a.target.Account, "@") {
		q.Set("login_hint", a.target.Account) // other accounts are labels of ours
	}
	if !a.key.IsZero() {
		name, _ := dpop.Thumbprint(a.key) // of a key of ours
		q.Set("dpop_jkt", name)           // the code is bound too (RFC 9449 section 10)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// needs is what authorization servers want to be asked for a refresh token, where that is not OAuth's own offline_access.
// Google: https://developers.google.com/identity/protocols/oauth2/web-server, "access_type"; a second sign-in gets one only
// where the person consents again.
var needs = map[string]map[string]string{
	"https://accounts.google.com": {"access_type": "offline", "prompt": "consent"},
}

func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

// wanted is what to ask for: the target's scopes, and offline_access where the server lists it.
func wanted(t credential.Target) []string {
	if slices.Contains(t.Endpoints.Scopes, "offline_access") {
		return credential.JoinScopes(t.Scopes, []string{"offline_access"})
	}
	return t.Scopes
}

// redeem judges a redirect and trades its code for a token.
func (s *Source) redeem(ctx context.Context, a attempt, values url.Values) (credential.Answer, error) {
	code, err := a.judge(values)
	if err != nil {
		return credential.Answer{}, err
	}
	form := newForm("authorization_code", a.target)
	form.Set("code", code)
	form.Set("redirect_uri", a.Redirect)
	form.Set("code_verifier", a.Verifier)
	a.client.proof = a.key
	return s.first(ctx, a.target, a.client, form)
}

// first sends a form that begins a grant, and answers with the whole grant.
func (s *Source) first(ctx context.Context, t credential.Target, c client, form url.Values) (credential.Answer, error) {
	r, err := s.send(ctx, t.Endpoints.Token, c, form)
	if err != nil {
		return credential.Answer{}, err
	}
	return s.accept(r, t, c, credential.Grant{RefreshToken: r.refreshToken(), ClientSecret: c.secret})
}
